/*
 * Test vectors made from constant bytes and checked against the Go libraries. For tests only.
 */
import { sealingKeyFromSeed, signingKeyFromSeed } from "../../src/control-api/keys.ts";

/** Seed and public key of each kind; the seed bytes are all `byte`. */
export const KEY_VECTORS = {
  issuer: {
    kind: "account",
    byte: 1,
    seed: "SAAACAIBAEAQCAIBAEAQCAIBAEAQCAIBAEAQCAIBAEAQCAIBAEAQCAKM5I",
    publicKey: "ACFIRY65OQE7DFP5KLNS2PF2LVZMUZYJX4OZIEQ36N2IQANUB5XVYYOU",
  },
  publisher: {
    kind: "curve",
    byte: 2,
    seed: "SXAAEAQCAIBAEAQCAIBAEAQCAIBAEAQCAIBAEAQCAIBAEAQCAIBAEAT5QQ",
    publicKey: "XDHI2OWRZS3DH3D3ODAXQFFFY5XM2AUWQUCQ2NCHIW5ALBYOLB6VSWAL",
  },
  nodeXkey: {
    kind: "curve",
    byte: 3,
    seed: "SXAAGAYDAMBQGAYDAMBQGAYDAMBQGAYDAMBQGAYDAMBQGAYDAMBQGA6CQY",
    publicKey: "XBO75XJ3NPKH635CR3QV3FU5LOYOUU3XJVEIXWXZ34OG4AJEWPXSFWVH",
  },
  node: {
    kind: "server",
    byte: 5,
    seed: "SNAAKBIFAUCQKBIFAUCQKBIFAUCQKBIFAUCQKBIFAUCQKBIFAUCQKBP7G4",
    publicKey: "NBXHUHG5FGYLPD6RHL2MKWMP572O6KUXCZXDZJXS4T57ZTMAKBN7C574",
  },
  user: {
    kind: "user",
    byte: 6,
    seed: "SUAAMBQGAYDAMBQGAYDAMBQGAYDAMBQGAYDAMBQGAYDAMBQGAYDAMBUCFM",
    publicKey: "UCFIOX77D2ZYIUKXPLGVV7XEAVCWK2G5PSE6BEEGHICVPPD26SPRO5B3",
  },
} as const;

export const ISSUER = signingKeyFromSeed(KEY_VECTORS.issuer.seed);
export const PUBLISHER = sealingKeyFromSeed(KEY_VECTORS.publisher.seed);
export const NODE_XKEY = sealingKeyFromSeed(KEY_VECTORS.nodeXkey.seed);

/** `{"GREETING":"hi"}` from publisher to node, nonce 24 times 4. */
export const SEALED_ENVIRONMENT =
  "eGt2MQQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBMtKvqp+/4JEy3cDrqCljMO9yNcqPu5OHa+Dpxw4wz+iOQ==";

/** By the issuer for `echoservice`, hash `0123abcd`, issued at 1720000000. */
export const DEPLOY_TOKEN =
  "eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.eyJqdGkiOiI2VkdIWVc0M0VZRFMzNUVaNUZCM1Q3UEpGN1dKNkFFQVJLQ1NFQVVWTzdaQkRTTVNMUEdRIiwiaWF0IjoxNzIwMDAwMDAwLCJpc3MiOiJBQ0ZJUlk2NU9RRTdERlA1S0xOUzJQRjJMVlpNVVpZSlg0T1pJRVEzNk4ySVFBTlVCNVhWWVlPVSIsInN1YiI6ImVjaG9zZXJ2aWNlIiwibmF0cyI6eyJoYXNoIjoiMDEyM2FiY2QiLCJ2ZXJzaW9uIjoyfX0.lrCrfPaDtOJlAf1HhJnLT91txCLLGJb-K_pOboSJLM_qIi8-WQYxd-7O9LmHocqmeZel1fzBOKFGmi1F7XgMCw";

/** As the deploy token, without hash, issued at 1720000060. */
export const STOP_TOKEN =
  "eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.eyJqdGkiOiJTNTZVWDNMRlA1NEVKRjUyQ0tPSjVaVlBCSUpYT0hEUFdCSk1CRkFPTjVORkRLQzQyRkVRIiwiaWF0IjoxNzIwMDAwMDYwLCJpc3MiOiJBQ0ZJUlk2NU9RRTdERlA1S0xOUzJQRjJMVlpNVVpZSlg0T1pJRVEzNk4ySVFBTlVCNVhWWVlPVSIsInN1YiI6ImVjaG9zZXJ2aWNlIiwibmF0cyI6eyJ2ZXJzaW9uIjoyfX0.1oObpDuuzCAY6Fj2t2dxRM5SaHnw4P0ClMvj7wlKopDMgRSjmlhAmxL09CBzr-hVRAz1jyeWjjwe-hRGVGBPBw";
