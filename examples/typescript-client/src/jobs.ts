import { setTimeout as sleep } from "node:timers/promises";

import { fromNodeProviderChain } from "@aws-sdk/credential-providers";
import { AwsClient } from "aws4fetch";
import createClient, { type Client } from "openapi-fetch";

import type { components, paths } from "./schema.js";

export type Job = components["schemas"]["Job"];
export type ModelResult = components["schemas"]["ModelResult"];
export type JobsClient = Client<paths>;

/**
 * A client that signs its requests, for `api.authorization = "AWS_IAM"` (the default). The credentials come from the
 * environment, a profile, or the role of the task or function. Answers of 429 and 5xx are retried, with backoff.
 */
export function signedClient(baseUrl: string, region: string): JobsClient {
  const credentials = fromNodeProviderChain();
  return createClient<paths>({
    baseUrl,
    fetch: async (request) => {
      const aws = new AwsClient({ ...(await credentials()), service: "execute-api", region, retries: 5 });
      return aws.fetch(request);
    },
  });
}

/** A client that sends its user's token, for `COGNITO_USER_POOLS` and `CUSTOM`. `token` is called for each request. */
export function tokenClient(baseUrl: string, token: () => Promise<string>): JobsClient {
  const client = createClient<paths>({ baseUrl });
  client.use({
    async onRequest({ request }) {
      request.headers.set("Authorization", `Bearer ${await token()}`);
      return request;
    },
  });
  return client;
}

/** An error of the API: `code` is for programs, `message` for people, and `field` says what is wrong, if one thing is. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly field?: string,
  ) {
    super(`${status} ${code}: ${message}`);
  }
}

/** The data of a response. Throws an `ApiError` if there is none. */
export function dataOf<T>({ data, error, response }: { data?: T; error?: unknown; response: Response }): T {
  if (data !== undefined) {
    return data;
  }
  // What does not come from the API, but from a proxy in between, has another shape.
  const body = (error as Partial<components["schemas"]["Error"]> | undefined)?.error;
  throw new ApiError(response.status, body?.code ?? "UNEXPECTED_ANSWER", body?.message ?? response.statusText, body?.field);
}

/** Waits until a job has ended, however it ended. Throws after `timeoutSeconds`. */
export async function ended(client: JobsClient, jobId: string, timeoutSeconds = 600): Promise<Job> {
  const deadline = Date.now() + timeoutSeconds * 1000;
  for (;;) {
    const answer = await client.GET("/jobs/{jobId}", { params: { path: { jobId }, query: { wait: 20 } } });
    const job = dataOf(answer);
    if (job.status !== "queued" && job.status !== "processing") {
      return job;
    }
    if (Date.now() > deadline) {
      throw new Error(`Job ${jobId} is still ${job.status} after ${timeoutSeconds} s.`);
    }
    await sleep(1000 * Number(answer.response.headers.get("Retry-After") ?? 1));
  }
}

/**
 * The result of a completed job. A large one (over 200,000 bytes) is fetched from its signed URL. Throws if the job has
 * not completed, with the reason.
 */
export async function resultOf(job: Job): Promise<ModelResult> {
  if (job.status !== "completed") {
    throw new Error(`Job ${job.jobId} is ${job.status}: ${job.error?.code} ${job.error?.message}`);
  }
  if (!job.resultUrl) {
    return job.result as ModelResult;
  }
  const response = await fetch(job.resultUrl);
  if (!response.ok) {
    throw new Error(`The result of job ${job.jobId} could not be fetched: ${response.status}.`);
  }
  return (await response.json()) as ModelResult;
}
