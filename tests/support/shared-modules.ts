/**
 * Loaded before the first test file of a worker whose files share their modules. It gives zod's schemas their `openapi`, and those
 * that are made before that have none: in a process the services' routes see to it, here any file may be the first.
 */
import "@hono/zod-openapi";
