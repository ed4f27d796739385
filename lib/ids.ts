import { v7 } from "uuid";
import { z } from "zod";

/** @returns a new UUIDv7: unique, and sorted by its time of creation in milliseconds */
export const newId = (): string => v7();

const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/;

/** @returns the id that a request came with, if it is harmless in logs and headers, else a new one */
export const requestIdOf = (given: string | undefined): string =>
  given !== undefined && REQUEST_ID.test(given) ? given : newId();

/** Any UUID, in lower case. Ids that we make are UUIDv7; those that others send need only be well-formed. */
export const uuid = z.guid("must be a UUID").transform((value) => value.toLowerCase());
