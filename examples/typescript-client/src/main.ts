// Submits a job, waits for it, and prints its result.
import { randomUUID } from "node:crypto";

import { dataOf, ended, resultOf, signedClient } from "./jobs.js";

function setting(name: string): string {
  const value = process.env[name];
  if (!value) {
    throw new Error(`${name} is not set.`);
  }
  return value;
}

const client = signedClient(setting("AI_JOBS_API_URL"), setting("AWS_REGION"));

// The id is yours: sending the same request again is harmless.
const jobId = randomUUID();
dataOf(
  await client.PUT("/jobs/{jobId}", {
    params: { path: { jobId } },
    body: {
      userId: "agent-1001",
      jobType: "social-media",
      input: { platform: "instagram", subject: "Open house on Sunday" },
    },
  }),
);

const result = await resultOf(await ended(client, jobId));
console.log(result.text);
