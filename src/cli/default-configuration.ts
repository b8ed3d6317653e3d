/** The node configuration that is taken without `--config`. */
export const DEFAULT_CONFIGURATION = "./config.json";
