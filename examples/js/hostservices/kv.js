// Keeps the payload under "hello2": nex devrun kv.js --trigger_subject=hs.kv
(subject, payload) => {
  this.hostServices.kv.set("hello", payload);
  this.hostServices.kv.delete("hello");

  this.hostServices.kv.set("hello2", payload);
  console.log("keys:", this.hostServices.kv.keys());
  return this.hostServices.kv.get("hello2");
};
