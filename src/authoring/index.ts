/** `nex/functions`: types for the authors of functions, and `defineFunction`. */
export type {
  AsyncService,
  Content,
  HostServices,
  HttpResponse,
  HttpService,
  KeyValueService,
  MessagingService,
  ObjectInfo,
  ObjectStoreService,
  SynchronousHostServices,
} from "./host-services.ts";
export { defineFunction } from "./nex-function.ts";
export type { FunctionEnvironment, NexFunction } from "./nex-function.ts";
