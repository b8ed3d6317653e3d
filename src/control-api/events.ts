import { randomUUID } from "node:crypto";
import { z } from "zod";
import { EVENT_SCHEMAS, type EventData, type EventType } from "./event-types.ts";
import { decodeJson, encodeJson, isRecord, parseWire, readWire, wireError, wireObject } from "./json.ts";

/** A CloudEvents 1.0 event in JSON (structured mode), published on `$NEX.events.{namespace}.{type}`. */
export interface CloudEvent<Type extends string = string, Data = Readonly<Record<string, unknown>>> {
  readonly specversion: "1.0";
  readonly id: string;
  /** Bare type, the same as the last token of the subject. */
  readonly type: Type;
  /** Public key of the node; `{node}-{workload id}` for what an agent reported. */
  readonly source: string;
  /** RFC 3339, UTC. "" when the sender gave none. */
  readonly time: string;
  readonly datacontenttype: "application/json";
  readonly data: Data;
  /** Only on events about a workload that an agent reported. */
  readonly namespace?: string;
}

/** An event whose type is known, its data typed. */
export type KnownEvent = { [Type in EventType]: CloudEvent<Type, EventData<Type>> }[EventType];

export interface CreateEventInit<Type extends string> {
  readonly type: Type;
  readonly source: string;
  readonly data: Type extends EventType ? EventData<Type> : Readonly<Record<string, unknown>>;
  readonly namespace?: string;
  /** Default now. */
  readonly time?: Date;
  /** Default a random UUID. */
  readonly id?: string;
}

/** A new event, ready for {@link encodeEvent}. */
export function createEvent<Type extends string>(
  init: CreateEventInit<Type>,
): CloudEvent<Type, CreateEventInit<Type>["data"]> {
  return {
    specversion: "1.0",
    id: init.id ?? randomUUID(),
    type: init.type,
    source: init.source,
    time: eventTime(init.time ?? new Date()),
    datacontenttype: "application/json",
    data: init.data,
    ...(init.namespace === undefined ? {} : { namespace: init.namespace }),
  };
}

/** Bytes of an event. */
export function encodeEvent(event: CloudEvent<string, object>): Uint8Array {
  const { data, datacontenttype, id, namespace, source, specversion, time, type } = event;
  return encodeJson({ data, datacontenttype, id, namespace, source, specversion, time, type });
}

/** What events have in common that come often. */
export interface EventKind<Type extends EventType> {
  readonly type: Type;
  readonly source: string;
  readonly namespace: string;
}

/** Writes events of one kind as {@link encodeEvent} does, the parts that stay the same only once. */
export function createEventWriter<Type extends EventType>(
  kind: EventKind<Type>,
): (data: EventData<Type>, time: Date) => Uint8Array {
  const { type, source, namespace } = kind;
  const beforeTime = `"namespace":${JSON.stringify(namespace)},"source":${JSON.stringify(source)},"specversion":"1.0"`;
  let last = { time: new Date(0), text: "" };
  return (data, time) => {
    if (last.time !== time) last = { time, text: eventTime(time) };
    return Buffer.from(
      `{"data":${JSON.stringify(data)},"datacontenttype":"application/json","id":"${randomUUID()}",${beforeTime},"time":"${last.text}","type":"${type}"}`,
    );
  };
}

/** Reads an event of any type, CloudEvents 0.2 and 0.3 included, as Go peers do. Throws WIRE_INVALID. */
export function parseEvent(bytes: Uint8Array): CloudEvent {
  const event = parseWire(Envelope, bytes);
  return {
    specversion: "1.0",
    id: event.id,
    type: event.type,
    source: event.source,
    time: event.time,
    datacontenttype: "application/json",
    data: eventData(event),
    ...(event.namespace === undefined ? {} : { namespace: event.namespace }),
  };
}

/** The event with typed data; undefined when its type is unknown. Throws WIRE_INVALID when the data does not fit. */
export function knownEvent(event: CloudEvent): KnownEvent | undefined {
  if (!isEventType(event.type)) return undefined;
  const data = readWire(EVENT_SCHEMAS[event.type] as z.ZodType<EventData>, event.data);
  // Type and data come from the same line of EVENT_SCHEMAS.
  return { ...event, data } as KnownEvent;
}

/** Whether the text is an event type of this release. */
export function isEventType(type: string): type is EventType {
  return Object.hasOwn(EVENT_SCHEMAS, type);
}

const Envelope = wireObject({
  specversion: z.enum(["1.0", "0.3", "0.2"]),
  id: z.string().min(1),
  type: z.string().min(1),
  source: z.string().min(1),
  time: z.string().default(""),
  namespace: z.string().optional(),
  data: z.unknown().optional(),
  data_base64: z.string().optional(),
});

function eventData({ data, data_base64 }: z.output<typeof Envelope>): Readonly<Record<string, unknown>> {
  const value =
    data === undefined && data_base64 !== undefined ? decodeJson(Buffer.from(data_base64, "base64")) : data;
  if (value === undefined) return {};
  if (!isRecord(value)) throw wireError('field "data" must be an object');
  return value;
}

/** RFC 3339 without trailing zeros in the fraction, as Go prints times. */
function eventTime(time: Date): string {
  const text = time.toISOString();
  let end = text.length - 1;
  while (text[end - 1] === "0") end -= 1;
  if (text[end - 1] === ".") return `${text.slice(0, end - 1)}Z`;
  return `${text.slice(0, end)}Z`;
}
