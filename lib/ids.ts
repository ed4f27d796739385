import { v7 } from "uuid";
import { z } from "zod";

/** @returns a new UUIDv7: unique, and sorted by its time of creation in milliseconds */
export const newId = (): string => v7();

/** Any UUID, in lower case. Ids that we make are UUIDv7; those that others send need only be well-formed. */
export const uuid = z.guid("must be a UUID").transform((value) => value.toLowerCase());
