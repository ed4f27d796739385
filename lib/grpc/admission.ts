import { createHash, timingSafeEqual } from "node:crypto";
import {
  type ServerInterceptingCallInterface as Call,
  ServerInterceptingCall,
  type ServerInterceptor,
  status as Status,
} from "@grpc/grpc-js";
import { AppError } from "../errors.ts";
import { toServerError } from "./status.ts";

type Answer = Parameters<Call["sendStatus"]>[0];

/** How a call ended, for log and metrics. */
export interface EndedCall {
  method: string;
  status: string;
  seconds: number;
  traceparent: string | undefined;
  /** the caller's address */
  peer: string;
  /** what the caller was told, unless it was what they asked for */
  details: string | undefined;
}

/**
 * The door of a gRPC server. Without the service token nothing of a call's message is read. What is wrong with a message
 * itself, grpc-js answers out of sight of any middleware, and as if it were our defect: such answers are put right here.
 *
 * @param serviceToken the secret that callers send as `authorization: Bearer <token>`
 * @param onUnhandled told of every call that no handler, and so no middleware, gets to see
 */
export function createAdmission(serviceToken: string, onUnhandled: (call: EndedCall) => void): ServerInterceptor {
  return ({ path: method }, call) => {
    const startedAt = performance.now();
    let traceparent: string | undefined;
    let hasMessage = false;
    let isOurs = true;

    const end = (code: Status, details: string) => {
      if (!isOurs) return;
      isOurs = false;
      const seconds = (performance.now() - startedAt) / 1000;
      onUnhandled({ method, status: Status[code], details, seconds, traceparent, peer: call.getPeer() });
    };
    onStatus(call, (given) => {
      if (!isOurs) return given;
      const answer = toAnswer(given);
      end(answer.code ?? Status.UNKNOWN, answer.details ?? "");
      return answer;
    });

    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata(metadata, pass) {
            traceparent = metadata.get("traceparent")[0]?.toString();
            if (isServiceToken(metadata.get("authorization")[0], serviceToken)) pass(metadata);
            else call.sendStatus(toStatus(serviceTokenInvalid()));
          },
          onReceiveMessage(message, pass) {
            hasMessage = true;
            pass(message);
          },
          // A unary call's handler starts here, if it has its message.
          onReceiveHalfClose(pass) {
            if (hasMessage) isOurs = false;
            pass();
          },
          onCancel: () => end(Status.CANCELLED, "the caller has gone"),
        }),
    });
  };
}

/** Sees, and may change, the status that a call is answered with, by whomever: grpc-js's own pass no interceptor. */
function onStatus(call: Call, change: (status: Answer) => Answer): void {
  const send = call.sendStatus.bind(call);
  call.sendStatus = (status) => send(change(status));
}

/** What grpc-js answers before the handler: INTERNAL is what it says of a message that it or the decoder can't read. */
function toAnswer(given: Answer): Answer {
  switch (given.code) {
    case Status.INTERNAL:
      return toStatus(
        new AppError(
          "invalid_argument",
          "malformed_message",
          "The message can't be read: wrong wire format, text that is not UTF-8, or a number beyond 2^53 - 1.",
        ),
      );
    case Status.RESOURCE_EXHAUSTED:
      return toStatus(new AppError("payload_too_large", "payload_too_large", "The message may have at most 64 KiB."));
    default:
      return given;
  }
}

function toStatus(error: AppError): Answer {
  const { code, details } = toServerError(error);
  return { code, details };
}

const serviceTokenInvalid = () =>
  new AppError("unauthenticated", "service_token_invalid", "Send the service token as metadata authorization.");

function isServiceToken(header: unknown, serviceToken: string): boolean {
  const digest = (value: string) => createHash("sha256").update(value).digest();
  const given = typeof header === "string" ? header : "";
  return timingSafeEqual(digest(given), digest(`Bearer ${serviceToken}`));
}
