import { BinaryReader } from "@bufbuild/protobuf/wire";
import type { TsProtoServiceDefinition } from "nice-grpc";

/** A leading U+FEFF is text, not a byte-order mark. */
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const decodeUtf8 = (bytes: Uint8Array) => utf8.decode(bytes);

/**
 * The generated decoder puts U+FFFD for what is not UTF-8; protobuf asks for a refusal (proto3's language guide, "string").
 *
 * @returns the same service, whose requests can't be decoded if a text of theirs isn't UTF-8
 */
export function withStrictText<Service extends TsProtoServiceDefinition>(service: Service): Service {
  const methods = Object.entries(service.methods).map(([name, method]) => {
    const decode = method.requestType.decode as (input: BinaryReader | Uint8Array) => unknown;
    const strict = (bytes: Uint8Array) => decode(new BinaryReader(bytes, decodeUtf8));
    return [name, { ...method, requestType: { ...method.requestType, decode: strict } }];
  });
  return { ...service, methods: Object.fromEntries(methods) };
}
