// Keeps the payload as object "hello2": nex devrun objectstore.js --trigger_subject=hs.objectstore
(subject, payload) => {
  this.hostServices.objectStore.put("hello", payload);
  this.hostServices.objectStore.delete("hello");

  this.hostServices.objectStore.put("hello2", payload);
  for (const { name, size } of this.hostServices.objectStore.list()) console.log(name, size);
  return this.hostServices.objectStore.get("hello2");
};
