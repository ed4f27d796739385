import { type SQL, sql } from "drizzle-orm";

/** A moment that bounds a report: a time, or the begin of a day such as 2026-11-24 in the time zone of reports. */
export type Moment = Date | { day: string };

/**
 * @param timeZone IANA's name of the zone in which days begin
 * @returns the moment as a `timestamptz`
 */
export const momentSql = (moment: Moment, timeZone: string): SQL =>
  moment instanceof Date
    ? sql`${moment.toISOString()}::timestamptz`
    : sql`(${moment.day}::timestamp at time zone ${timeZone}::text)`;
