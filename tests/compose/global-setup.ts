import type { TestProject } from "vitest/node";
import type { TestServers } from "../support/servers.ts";
import { compose, docker, readSecret, URL_OF_NGINX, up } from "./docker.ts";

/** Builds the image and brings the system up from nothing; takes everything away in the end. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await docker("compose", "version").catch((cause: unknown) => {
    throw new Error("These tests need Docker with Compose 2.26 or newer; DOCKER_HOST says which engine.", { cause });
  });
  const removeAll = async () => {
    await compose("down", "--volumes", "--remove-orphans", "--timeout", "5");
  };
  await removeAll();
  const startedAt = performance.now();
  await compose("build");
  console.log(`The image is built after ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  try {
    console.log(`The system is up and healthy after ${(await up()).toFixed(1)} s`);
    const admin = { email: "admin@casino.example", password: await readSecret("admin-password") };
    // What the shared helpers need; the servers themselves can't be reached from here.
    project.provide("servers", { url: URL_OF_NGINX, admin } as TestServers);
  } catch (error) {
    await removeAll();
    throw error;
  }
  return removeAll;
}
