// Passes the payload on in three ways: nex devrun messaging.js --trigger_subject=hs.messaging
(subject, payload) => {
  this.hostServices.messaging.publish("hello.world", payload);
  const req = this.hostServices.messaging.request("hello.world.request", payload);
  const reqMany = this.hostServices.messaging.requestMany("hello.world.request.many", payload);

  const text = (bytes) => String.fromCharCode(...bytes);
  return { request: text(req), requestMany: reqMany.map(text) };
};
