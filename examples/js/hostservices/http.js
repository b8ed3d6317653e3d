// Calls the server at env.URL with every method: nex devrun http.js --trigger_subject=hs.http URL=https://example.org
(subject, payload) => {
  const { http } = this.hostServices;
  const get = http.get(env.URL);
  const post = http.post(env.URL, payload);
  const put = http.put(env.URL, payload);
  const patch = http.patch(env.URL, payload);
  const del = http.del(env.URL);
  const head = http.head(env.URL);
  return {
    get: get.response,
    type: get.headers["Content-Type"],
    post: post.response,
    status: [get, post, put, patch, del, head].map(({ status }) => status),
  };
};
