/** A file of the starter. */
export interface StarterFile {
  /** Relative to the starter's folder. */
  readonly path: string;
  readonly content: string;
  readonly executable: boolean;
}

/** JSON has no comments, so the README explains each key. */
const CONFIGURATION = `{
  "no_sandbox": true,
  "machine_pool_size": 2,
  "workload_types": ["v8", "wasm", "native"],
  "node_limits": { "max_workloads": 20 },
  "tags": { "purpose": "development" }
}
`;

const FUNCTION = `// A function runs when a message arrives on one of its trigger subjects. Deploy it, and again at every save:
//
//   nex devrun hello.js --trigger_subject=hello --watch
//   nex req hello world
//
// The file is one function expression: nothing may stand behind it, and there are no imports.
// "subject" is a string, "payload" a Uint8Array. What is returned becomes the reply: bytes (Uint8Array) as they are,
// anything else as JSON, nothing as an empty message. Promises are awaited; 5 seconds are allowed.
(subject, payload) => {
  // Bytes to text: there is no TextDecoder here, but this knows UTF-8, too.
  const name = decodeURIComponent(escape(String.fromCharCode(...payload))) || "nobody";

  // Into the log of the workload: nex logs
  console.log(\`\${subject}: \${name}\`);

  // "env" holds what was deployed with it: nex devrun hello.js --trigger_subject=hello GREETING=Ahoi
  return { message: \`\${env.GREETING ?? "Hello"}, \${name}!\` };
};
`;

const SERVICE = `#!/bin/bash
# A service is a program that runs until it is stopped. Deploy it:
#
#   nex devrun greeter.sh NATS_URL=nats://127.0.0.1:4222
#   nex req greet you
#
# It gets nothing but the environment it is deployed with, so the address of NATS is given to it. A real service is a
# program in Go, Rust, C or the like with a NATS client. This one speaks the NATS protocol by itself, to need nothing but
# bash: plain nats:// only, no TLS, no credentials.
set -u
address="\${NATS_URL:-nats://127.0.0.1:4222}"
address="\${address#nats://}"
host="\${address%%:*}"
port="\${address##*:}"

exec 3<>"/dev/tcp/$host/$port" || exit 1
printf 'CONNECT {"verbose":false,"name":"greeter"}\\r\\nSUB greet greeters 1\\r\\nPING\\r\\n' >&3
echo "greeter: listening on greet at $host:$port" # what a service prints is its log

LC_ALL=C # lengths in bytes
while IFS= read -r line <&3; do
  line="\${line%$'\\r'}"
  case "$line" in
    PING) printf 'PONG\\r\\n' >&3 ;;
    -ERR*) echo "greeter: $line" >&2 ;;
    "MSG "*)
      # MSG <subject> <sid> [reply-to] <bytes>, then that many bytes and CRLF
      read -r _ _ _ reply bytes <<<"$line"
      [ -z "$bytes" ] && bytes="$reply" && reply=""
      body=""
      [ "$bytes" -gt 0 ] && IFS= read -r -N "$bytes" body <&3
      IFS= read -r _ <&3
      [ -z "$reply" ] && continue
      answer="Greetings, \${body:-stranger}!"
      printf 'PUB %s %d\\r\\n%s\\r\\n' "$reply" "\${#answer}" "$answer" >&3
      ;;
  esac
done
echo "greeter: NATS closed the connection" >&2
exit 1 # with "nex devrun --essential" it is started again
`;

const README = `# A starter for Nex

| file          | what it is                                                             |
| ------------- | ---------------------------------------------------------------------- |
| \`config.json\` | configuration of a node                                                |
| \`hello.js\`    | a function: runs for each message on its trigger subject               |
| \`greeter.sh\`  | a service: a program that runs until it is stopped (Linux, needs bash) |

## Run it

In this folder, in a first terminal: a node that brings its own NATS server and takes \`./config.json\`.

\`\`\`sh
nex node up --embedded-nats
\`\`\`

In a second one:

\`\`\`sh
nex devrun hello.js --trigger_subject=hello
nex req hello world

nex devrun greeter.sh NATS_URL=nats://127.0.0.1:4222
nex req greet you

nex node ls
\`\`\`

\`nex devrun hello.js --trigger_subject=hello --watch\` deploys the function again whenever it is saved. When something does not
work, \`nex doctor\` says what and how to correct it.

## The configuration

Every key may be left out; unknown ones are errors, so that a slip is noticed.

| key                         | here            | meaning                                                                                                                   |
| --------------------------- | --------------- | ------------------------------------------------------------------------------------------------------------------------- |
| \`no_sandbox\`                | \`true\`          | workloads run as processes of this machine, not in virtual machines: deploy only what you trust                           |
| \`machine_pool_size\`         | \`2\`             | agents kept ready; a deploy takes one and another is started                                                              |
| \`workload_types\`            | all three       | \`v8\` are JavaScript functions, \`wasm\` WebAssembly functions, \`native\` services                                            |
| \`node_limits.max_workloads\` | \`20\`            | workloads at a time; 0 for no limit                                                                                       |
| \`tags\`                      | one             | words about the node, shown by \`nex node info\`; \`"node_name": "…"\` gives it a name                                        |

With a NATS server of your own, leave \`--embedded-nats\` out and name it with \`--server\`, or with a NATS context (\`--context\`).
`;

/** Everything that `nex init` writes. */
export const starterFiles: readonly StarterFile[] = [
  { path: "config.json", content: CONFIGURATION, executable: false },
  { path: "hello.js", content: FUNCTION, executable: false },
  { path: "greeter.sh", content: SERVICE, executable: true },
  { path: "README.md", content: README, executable: false },
];
