// A file on a server, read in pieces: few requests, and no byte twice.

const TAIL = 1 << 16; // what is read first, from the end, where Parquet keeps its directory
const GAP = 100_000; // bytes between two pieces that are read along, since a request of its own takes as long

/** Says in a sentence why a file cannot be read in pieces. */
export class UnreadableError extends Error {}

async function fetchRange(address, range) {
  let answer;
  try {
    answer = await fetch(address, { headers: { Range: `bytes=${range}` } });
  } catch {
    throw new UnreadableError("The file could not be reached; is there a connection?");
  }
  if (answer.status !== 206) {
    await answer.body?.cancel();
    throw new UnreadableError(
      answer.ok
        ? "This server sends whole files only, so nothing can be looked up on it."
        : `The server did not hand out the file (${answer.status}).`,
    );
  }
  return answer;
}

/**
 * Open a file by reading its end; returns what hyparquet calls an AsyncBuffer. Pieces that are asked for at the same
 * moment and lie near each other come with one request. `tail` is how many bytes of the end are there already.
 */
export async function remoteFile(address) {
  const answer = await fetchRange(address, `-${TAIL}`);
  const byteLength = Number(answer.headers.get("Content-Range")?.split("/")[1]);
  if (!byteLength) throw new UnreadableError("The server does not say how long the file is.");
  const end = await answer.arrayBuffer();
  const held = [{ start: byteLength - end.byteLength, bytes: end }];
  let waiting = [];

  function take({ start, end }) {
    const piece = held.find((part) => part.start <= start && end <= part.start + part.bytes.byteLength);
    return piece?.bytes.slice(start - piece.start, end - piece.start);
  }

  async function read(asked) {
    const start = asked[0].start;
    const end = Math.max(...asked.map((piece) => piece.end));
    try {
      const bytes = await (await fetchRange(address, `${start}-${end - 1}`)).arrayBuffer();
      if (bytes.byteLength !== end - start) throw new UnreadableError("The file ended too early.");
      held.push({ start, bytes });
      for (const piece of asked) piece.resolve(take(piece));
    } catch (error) {
      for (const piece of asked) piece.reject(error);
    }
  }

  function readWaiting() {
    const sorted = waiting.sort((one, other) => one.start - other.start);
    waiting = [];
    let together = [];
    let reached = -Infinity;
    for (const piece of sorted) {
      if (together.length && piece.start > reached + GAP) {
        read(together);
        together = [];
      }
      together.push(piece);
      reached = Math.max(reached, piece.end);
    }
    if (together.length) read(together);
  }

  return {
    byteLength,
    tail: end.byteLength,
    slice(start, end = byteLength) {
      const piece = take({ start, end });
      if (piece) return Promise.resolve(piece);
      return new Promise((resolve, reject) => {
        if (!waiting.length) setTimeout(readWaiting);
        waiting.push({ start, end, resolve, reject });
      });
    },
  };
}
