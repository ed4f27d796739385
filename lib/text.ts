import type { z } from "zod";

/**
 * What nothing can be seen of: white space, controls, format characters such as zero-width ones and marks of direction, and
 * what Unicode says is drawn as nothing (UAX #44). The blank Braille pattern is a symbol to Unicode, and blank to readers.
 */
const INVISIBLE = /^[\p{White_Space}\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]*$/u;

/** Text that is stored as it was sent: PostgreSQL has no NUL, and UTF-8 no lone surrogates, which would become U+FFFD. */
export const storable = (schema: z.ZodString): z.ZodString =>
  schema
    .refine((text) => !text.includes("\0"), "must not contain NUL characters")
    .refine((text) => text.isWellFormed(), "must not contain lone surrogates");

/** Text that somebody is to read. Behind `min(1)`, which says what "" lacks. */
export const visible = (schema: z.ZodString): z.ZodString =>
  schema.refine((text) => text === "" || !INVISIBLE.test(text), "must not be empty");
