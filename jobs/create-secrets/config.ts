import { z } from "zod";

/** Nothing: the folder is its argument. */
export const config = z.object({});
