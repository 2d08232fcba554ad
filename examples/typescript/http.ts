// SPDX-License-Identifier: Apache-2.0

// The little of HTTP that both examples need.

import { createServer, type IncomingMessage } from "node:http";
import { isSigned } from "./standard_webhooks.ts";

export type Answer = [status: number, body: unknown];
export type Call = { method: string; parts: string[]; query: URLSearchParams; body: Buffer; key: string };

async function bytes(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Serves signed calls, and unsigned ones below `/desk/` for the commands of the same program: on this machine alone. */
export function serve(name: string, port: number, secret: string, carryOut: (call: Call) => Answer | Promise<Answer>): void {
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? "/", "http://localhost");
    const body = await bytes(request);
    const parts = url.pathname.split("/").filter((part) => part !== "").map(decodeURIComponent);
    const call = { method: request.method ?? "", parts, query: url.searchParams, body, key: String(request.headers["webhook-id"] ?? "") };
    let answer: Answer;
    if (parts[0] !== "desk" && !isSigned(secret, request.headers, body)) {
      answer = [401, { reason: "the signature is not right" }];
    } else {
      try {
        answer = await carryOut(call);
      } catch (wrong) {
        answer = [422, { reason: `the request cannot be carried out: ${wrong instanceof Error ? wrong.message : wrong}` }];
      }
    }
    response.writeHead(answer[0], { "content-type": "application/json" });
    response.end(JSON.stringify(answer[1]));
  });
  server.listen(port, "127.0.0.1", () => console.log(`${name} listens on http://127.0.0.1:${port}`));
}

/** Asks the running program to do something. */
export async function atTheDesk(port: number, path: string): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/desk/${path}`, { method: "POST" }).catch(() => {
    console.error(`nobody listens on port ${port}: run this program with "serve" first`);
    process.exit(1);
  });
  const text = await answer.text();
  if (!answer.ok) {
    console.error(text);
    process.exit(1);
  }
  console.log(text);
}

export function fromEnv(name: string, otherwise?: string): string {
  const value = process.env[name] ?? otherwise;
  if (value === undefined || value === "") {
    console.error(`set ${name} to the one that ticketbridge was started with`);
    process.exit(1);
  }
  return value;
}
