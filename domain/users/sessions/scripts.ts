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

/** Puts off the end of a session by its idle time, up to its absolute end. In the user's set it stands with that time. */
const TOUCH = `
local function touch(sessionKey, userSessionsKey, sessionId, expiresAt, idle)
  local endsAt = decimal(math.min(tonumber(expiresAt), now + idle))
  redis.call('PEXPIREAT', sessionKey, endsAt)
  redis.call('ZADD', userSessionsKey, endsAt, sessionId)
end
`;

/**
 * KEYS: session, user's sessions. ARGV: session id, user id, token hash, lifetime in ms, idle lifetime in ms, sessions that
 * a user may have, prefix of session keys, user agent, address, second factor or '', marks of the tokens to come.
 * Returns when the session ends at the latest. The set's expiry is that of its newest session; ended ones are swept here, and
 * beyond the bound those that would end first, which were not used for longest.
 */
export const OPEN = `${NOW}${REVOKE}${TOUCH}
local expiresAt = decimal(now + ARGV[4])
redis.call('HSET', KEYS[1], 'userId', ARGV[2], 'current', ARGV[3], 'generation', 0, 'createdAt', decimal(now),
  'rotatedAt', decimal(now), 'expiresAt', expiresAt, 'userAgent', ARGV[8], 'address', ARGV[9],
  'secondFactor', ARGV[10], 'ahead', ARGV[11], 'aheadOf', 0)
redis.call('ZREMRANGEBYSCORE', KEYS[2], 0, decimal(now))
for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, -tonumber(ARGV[6]))) do
  if revoke(ARGV[7] .. id, KEYS[2], ARGV[2], id) == 0 then redis.call('ZREM', KEYS[2], id) end
end
touch(KEYS[1], KEYS[2], ARGV[1], expiresAt, ARGV[5])
redis.call('PEXPIREAT', KEYS[2], expiresAt)
return expiresAt
`;

/**
 * KEYS: session, user's sessions. ARGV: session id, user id, presented hash, successor's hash, grace in ms, idle lifetime in ms,
 * who asks ('' if nobody can tell), in ms how long the one who asked may ask again, presented mark, marks of what comes after
 * the successor.
 * Returns { 'missing' }, { 'reused' }, or { 'rotated', when the session ends at the latest, how many rotations had been lost }.
 *
 * 'aheadOf' is the generation for which 'ahead' and 'asker' were written: a replica of the version before these rotates
 * without them, and what is left of them then counts for nothing.
 */
export const ROTATE = `${NOW}${REVOKE}${TOUCH}
local session = redis.call('HMGET', KEYS[1], 'current', 'previous', 'rotatedAt', 'expiresAt', 'generation', 'aheadOf', 'ahead',
  'asker')
local current, previous, rotatedAt, expiresAt, generation = session[1], session[2], session[3], session[4], session[5]
if not current then return { 'missing' } end

local function rotate(lost)
  local successor = decimal(generation + lost + 1)
  redis.call('HSET', KEYS[1], 'previous', ARGV[3], 'current', ARGV[4], 'rotatedAt', decimal(now), 'generation', successor,
    'aheadOf', successor, 'ahead', ARGV[10], 'asker', ARGV[7])
  touch(KEYS[1], KEYS[2], ARGV[1], expiresAt, ARGV[6])
  return { 'rotated', expiresAt, lost }
end

if current == ARGV[3] then return rotate(0) end
local isWhole = session[6] == generation
if previous == ARGV[3] then
  local ageMs = now - rotatedAt
  local asksAgain = isWhole and ARGV[7] ~= '' and session[8] == ARGV[7]
  if ageMs <= tonumber(ARGV[5]) or (asksAgain and ageMs <= tonumber(ARGV[8])) then return { 'rotated', expiresAt, 0 } end
elseif isWhole then
  local lost = 0
  for mark in string.gmatch(session[7], '%S+') do
    lost = lost + 1
    if mark == ARGV[9] then return rotate(lost) end
  end
end
revoke(KEYS[1], KEYS[2], ARGV[2], ARGV[1])
return { 'reused' }
`;

/**
 * KEYS: session. ARGV: session id, prefix of the keys of users' sessions, user id ('' for whoever's it is). Returns 1 if it was
 * this user's and there to revoke, else 0.
 */
export const REVOKE_ONE = `${NOW}${REVOKE}
local userId = redis.call('HGET', KEYS[1], 'userId')
if not userId or (ARGV[3] ~= '' and ARGV[3] ~= userId) then return 0 end
return revoke(KEYS[1], ARGV[2] .. userId, userId, ARGV[1])
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

/** KEYS: user's sessions. ARGV: user id, prefix of session keys, the id of the session that stays. */
export const REVOKE_OTHERS = `${NOW}${REVOKE}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if id ~= ARGV[3] then revoke(ARGV[2] .. id, KEYS[1], ARGV[1], id) end
end
`;

/**
 * KEYS: user's sessions. ARGV: prefix of session keys. Returns of each session that is there its id, and when it was opened
 * and used last, its user agent and address; empty texts where a session from before these were kept has none.
 */
export const LIST = `${NOW}
local found = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], decimal(now), '+inf')) do
  local session = redis.call('HMGET', ARGV[1] .. id, 'createdAt', 'rotatedAt', 'userAgent', 'address')
  if session[2] then
    table.insert(found, { id, session[1] or '', session[2], session[3] or '', session[4] or '' })
  end
end
return found
`;
