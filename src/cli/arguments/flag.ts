/** What every flag declaration holds besides its kind. */
interface FlagBasics {
  /** One sentence for `--help`, no full stop. */
  readonly help: string;
  /** One-letter form, without the dash. */
  readonly short?: string;
  /** Environment variable read when the flag is not given. */
  readonly env?: string;
  /** What stands for the value in `--help`. Default: the kind in capitals. */
  readonly placeholder?: string;
  /** Default false: without a value and without a default, the flag may be missing. */
  readonly required?: boolean;
}

/** What shell completion offers for a value: names of files, of directories, or of NATS contexts. */
export type Completion = "file" | "directory" | "context";

/** A flag with a text value, from `choices` when there are some. */
interface StringFlag extends FlagBasics {
  readonly kind: "string";
  readonly default?: string;
  readonly choices?: readonly string[];
  readonly completes?: Completion;
}

/** A flag that may be given several times; each occurrence adds a value. From the environment: separated by commas. */
interface StringsFlag extends FlagBasics {
  readonly kind: "strings";
  readonly default?: readonly string[];
  readonly choices?: readonly string[];
}

/** A switch. Takes no value; with `negatable` it also exists as `--no-…`. Default false. */
interface BooleanFlag extends FlagBasics {
  readonly kind: "boolean";
  readonly default?: boolean;
  readonly negatable?: boolean;
}

/** A whole number within `min` and `max` (inclusive). */
interface IntegerFlag extends FlagBasics {
  readonly kind: "integer";
  readonly default?: number;
  readonly min?: number;
  readonly max?: number;
}

/** A positive span of time: Go's units plus `d`, `w`, `M`, `y`. The value is in milliseconds. */
interface DurationFlag extends FlagBasics {
  readonly kind: "duration";
  /** In the notation of the flag, as `--help` shows it. */
  readonly default?: string;
}

/** The path of a file that must exist. */
interface FileFlag extends FlagBasics {
  readonly kind: "file";
  readonly default?: string;
}

/** Declaration of one flag. */
export type Flag = StringFlag | StringsFlag | BooleanFlag | IntegerFlag | DurationFlag | FileFlag;

/** Flags by their long name without dashes. */
export type Flags = Readonly<Record<string, Flag>>;

/** Declaration of one positional argument. */
export interface Argument {
  readonly help: string;
  /** Default true. Optional arguments come last. */
  readonly required?: boolean;
  /** Takes all that remain. Only the last one. */
  readonly repeated?: boolean;
  /** The only values it can have. */
  readonly choices?: readonly string[];
  readonly completes?: Completion;
}

/** Positional arguments by name, in the order of the command line. */
export type Arguments = Readonly<Record<string, Argument>>;

type Filled<F extends Flag, V> = F extends { readonly required: true } | { readonly default: unknown }
  ? V
  : V | undefined;

/** The type of a flag's parsed value. */
type FlagValue<F extends Flag> = F extends BooleanFlag
  ? boolean
  : F extends StringsFlag
    ? readonly string[]
    : F extends IntegerFlag | DurationFlag
      ? Filled<F, number>
      : F extends { readonly choices: readonly (infer C)[] }
        ? Filled<F, C>
        : Filled<F, string>;

/** The parsed values of a set of flags. */
export type FlagValues<S extends Flags> = { readonly [K in keyof S]: FlagValue<S[K]> };

/** The parsed values of a command's positional arguments. */
export type ArgumentValues<P extends Arguments> = {
  readonly [K in keyof P]: P[K] extends { readonly repeated: true }
    ? readonly string[]
    : P[K] extends { readonly required: false }
      ? ArgumentText<P[K]> | undefined
      : ArgumentText<P[K]>;
};

type ArgumentText<A extends Argument> = A extends { readonly choices: readonly (infer C)[] } ? C : string;

/** Where the value of a flag came from. */
export type ValueSource = "flag" | "environment" | "default";
