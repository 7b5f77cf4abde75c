// What reading the project's own Parquet files needs, however they come.
import { decompress } from "fzstd";

// The project's own writer uses zstd alone.
export const compressors = { ZSTD: (input, length) => decompress(input, new Uint8Array(length)) };
