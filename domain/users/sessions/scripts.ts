import { REVOCATION_LIFE_MS, REVOCATIONS_STREAM } from "../../../lib/auth/revocations.ts";

/**
 * Every step of a session is one Lua call, so that no two of them interleave. Times are Redis' own, in milliseconds
 * since the epoch: the replicas' clocks may differ. The keys of one call are in different slots, so this is for
 * Sentinel, not for Redis Cluster.
 */
const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function decimal(number) return string.format('%.0f', number) end
`;

const TELL = `
local function tell(userId, sessionId)
  local oldest = decimal(now - ${REVOCATION_LIFE_MS})
  redis.call('XADD', '${REVOCATIONS_STREAM}', 'MINID', '~', oldest, '*', 'userId', userId, 'sessionId', sessionId)
  redis.call('PEXPIRE', '${REVOCATIONS_STREAM}', ${REVOCATION_LIFE_MS})
end
`;

const REVOKE = `${TELL}
local function revoke(sessionKey, userSessionsKey, userId, sessionId)
  if redis.call('DEL', sessionKey) == 0 then return 0 end
  redis.call('ZREM', userSessionsKey, sessionId)
  tell(userId, sessionId)
  return 1
end
`;

/**
 * KEYS: session, user's sessions. ARGV: session id, user id, token hash, lifetime in ms.
 * Returns when the session ends. The set's expiry is that of its newest session; ended ones are swept here.
 */
export const OPEN = `${NOW}
local expiresAt = decimal(now + ARGV[4])
redis.call('HSET', KEYS[1], 'userId', ARGV[2], 'current', ARGV[3], 'generation', 0, 'rotatedAt', decimal(now), 'expiresAt', expiresAt)
redis.call('PEXPIREAT', KEYS[1], expiresAt)
redis.call('ZREMRANGEBYSCORE', KEYS[2], 0, decimal(now))
redis.call('ZADD', KEYS[2], expiresAt, ARGV[1])
redis.call('PEXPIREAT', KEYS[2], expiresAt)
return expiresAt
`;

/**
 * KEYS: session, user's sessions. ARGV: session id, user id, presented hash, successor's hash, grace in ms.
 * Returns { 'missing' }, { 'reused' }, or { 'rotated', when the session ends }.
 */
export const ROTATE = `${NOW}${REVOKE}
local session = redis.call('HMGET', KEYS[1], 'current', 'previous', 'rotatedAt', 'expiresAt')
local current, previous, rotatedAt, expiresAt = session[1], session[2], session[3], session[4]
if not current then return { 'missing' } end
if current == ARGV[3] then
  redis.call('HSET', KEYS[1], 'previous', current, 'current', ARGV[4], 'rotatedAt', decimal(now))
  redis.call('HINCRBY', KEYS[1], 'generation', 1)
  return { 'rotated', expiresAt }
end
if previous == ARGV[3] and now - rotatedAt <= tonumber(ARGV[5]) then return { 'rotated', expiresAt } end
revoke(KEYS[1], KEYS[2], ARGV[2], ARGV[1])
return { 'reused' }
`;

/** KEYS: session, user's sessions. ARGV: session id, user id. Returns 1 if there was one to revoke, else 0. */
export const REVOKE_ONE = `${NOW}${REVOKE}
return revoke(KEYS[1], KEYS[2], ARGV[2], ARGV[1])
`;

/**
 * KEYS: user's sessions. ARGV: user id, prefix of session keys. Returns how many there were.
 * Told one by one, so that a session which the user opens right after is another one; and all together, in any case: a
 * token or a socket may have outlived its session.
 */
export const REVOKE_ALL = `${NOW}${TELL}
local ids = redis.call('ZRANGE', KEYS[1], 0, -1)
for _, id in ipairs(ids) do
  redis.call('DEL', ARGV[2] .. id)
  tell(ARGV[1], id)
end
redis.call('DEL', KEYS[1])
tell(ARGV[1], '')
return #ids
`;
