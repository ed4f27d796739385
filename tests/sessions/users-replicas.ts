import type { UsersContext } from "../../domain/users/context.ts";
import { MAILS_PER_ADDRESS } from "../../domain/users/mails/queue-mail.ts";
import { createSecondFactors } from "../../domain/users/second-factors/second-factors.ts";
import { createLoginAttempts } from "../../domain/users/sessions/login-attempts.ts";
import { createRateLimiter } from "../../lib/rate-limiter.ts";
import { awaitRedis, connectRedis, type Redis } from "../../lib/redis.ts";
import { createReplicatedRedis } from "../../lib/redis-replicated.ts";
import type { Logger } from "../../lib/telemetry/log.ts";
import { type OwnRedis, startRedisPair } from "../support/redis.ts";
import { until } from "../support/until.ts";

/** What a replica of Users does with Redis. */
type Connections = Pick<
  UsersContext,
  "redis" | "replicatedRedis" | "loginAttempts" | "secondFactors" | "mailsPerAddress"
>;

/** One of two servers, as the test itself reaches it. */
interface Server {
  own: OwnRedis;
  redis: Redis;
}

/** Replicas of Users that work with one pair of Redis servers, of which now this and now that one is the primary. */
export interface UsersReplicas {
  contexts: readonly UsersContext[];
  /** Lets time pass for a session, by the only clock that counts. */
  passTime(sessionId: string, ms: number): Promise<void>;
  /** From now on what is written will be lost: the replica has all that was written before, and gets no more. */
  cutReplication(): Promise<void>;
  /**
   * The replica that was cut off takes over, for one replica of Users after the other; what is under way at the old primary is
   * finished there, or broken off.
   */
  takeOver(options: { isAbrupt: boolean; pauseMs: () => Promise<unknown> }): Promise<void>;
  /** The old primary begins to follow the new one, and forgets what it had alone. */
  rejoin(): Promise<void>;
  stop(): Promise<void>;
}

/** A session that is not there must not come to be by this. */
const PASS_TIME = `
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HINCRBY', KEYS[1], 'rotatedAt', -ARGV[1]) end
`;

/** @param shared what all contexts have in common */
export async function startUsersReplicas(
  shared: Omit<UsersContext, keyof Connections>,
  count: number,
  log: Logger,
): Promise<UsersReplicas> {
  const pair = await startRedisPair();
  const connect = async ({ url }: OwnRedis) => {
    const redis = connectRedis(url, log);
    await awaitRedis(redis);
    return redis;
  };
  let primary: Server = { own: pair.primary, redis: await connect(pair.primary) };
  let replica: Server = { own: pair.replica, redis: await connect(pair.replica) };
  let isCut = false;
  const untilFollows = () => until("the replica follows", async () => (await primary.redis.wait(1, 500)) === 1);
  await untilFollows();

  const contexts: UsersContext[] = [];
  const attach = async (): Promise<Connections> => {
    const redis = await connect(primary.own);
    const replicatedRedis = createReplicatedRedis(await connect(primary.own), { replicasMin: 1 });
    const secondFactors = createSecondFactors(redis, log, {
      key: shared.refreshTokenKey,
      issuer: "test",
      ofStaff: "off",
    });
    const loginAttempts = createLoginAttempts(redis, log);
    const mailsPerAddress = createRateLimiter(redis, "mail-address", MAILS_PER_ADDRESS);
    return { redis, replicatedRedis, loginAttempts, secondFactors, mailsPerAddress };
  };
  const detach = ({ redis, replicatedRedis }: Connections) => {
    redis.disconnect();
    replicatedRedis.disconnect();
  };
  for (let index = 0; index < count; index++) contexts.push({ ...shared, ...(await attach()) });
  const old: Connections[] = [];

  return {
    contexts,
    async passTime(sessionId, ms) {
      // Both know it when they are no pair: time is not what a failover loses.
      const servers = isCut ? [primary, replica] : [primary];
      await Promise.all(servers.map(({ redis }) => redis.eval(PASS_TIME, 1, `session:${sessionId}`, ms)));
    },
    async cutReplication() {
      await untilFollows();
      await replica.redis.replicaof("NO", "ONE");
      isCut = true;
    },
    async takeOver({ isAbrupt, pauseMs }) {
      [primary, replica] = [replica, primary];
      const fresh = await Promise.all(contexts.map(attach));
      for (const [index, context] of contexts.entries()) {
        await pauseMs();
        const before = { ...context };
        Object.assign(context, fresh[index]);
        if (isAbrupt) detach(before);
        else old.push(before);
      }
    },
    async rejoin() {
      for (const each of old.splice(0)) detach(each);
      isCut = false;
      await replica.redis.replicaof("127.0.0.1", primary.own.port);
      await untilFollows();
    },
    async stop() {
      for (const context of contexts) detach(context);
      for (const { redis } of [primary, replica]) redis.disconnect();
      await Promise.all([pair.primary.kill(), pair.replica.kill()]);
    },
  };
}
