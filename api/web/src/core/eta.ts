// How fast a sweep goes, and when it will have ended (pure).

export interface Sample {
  /** Seconds since the epoch. */
  at: number;
  done: number;
  /** How many rounds there were by then. */
  round?: number;
}

/** What is looked back at, in seconds, and how many samples are kept. */
const WINDOW = 300;
const MOST = 120;

/** Return samples with one more; one that tells nothing new replaces the last, and with another round they begin anew. */
export function withSample(samples: readonly Sample[], sample: Sample): Sample[] {
  const last = samples.at(-1);
  if (last && (sample.done < last.done || sample.round !== last.round)) return [sample];
  const kept = samples.filter((one) => sample.at - one.at <= WINDOW);
  const [before, previous] = [kept.at(-2), kept.at(-1)];
  // Of a pause only its beginning and its end are needed.
  if (before && previous && before.done === previous.done && previous.done === sample.done) return [...kept.slice(0, -1), sample];
  return [...kept, sample].slice(-MOST);
}

/**
 * Return points a second: the median of the slopes between samples (Theil and Sen), so that one odd sample does not count.
 *
 * As long as there are fewer than three, the mean since `started`, if all that is done was done since, else since the first sample; undefined
 * when nothing is known.
 */
export function throughput(samples: readonly Sample[], started?: number): number | undefined {
  const slopes: number[] = [];
  for (let i = 0; i < samples.length; i += 1) {
    for (let j = i + 1; j < samples.length; j += 1) {
      const [a, b] = [samples[i], samples[j]];
      if (a && b && b.at - a.at >= 1) slopes.push((b.done - a.done) / (b.at - a.at));
    }
  }
  const last = samples.at(-1);
  if (samples.length >= 3 && slopes.length >= 3) {
    slopes.sort((a, b) => a - b);
    const middle = slopes[Math.floor(slopes.length / 2)];
    if (middle !== undefined && middle > 0) return middle;
  }
  const from = started === undefined ? samples[0] : { at: started, done: 0 };
  if (!from || !last || last.done <= from.done || last.at - from.at < 1) return undefined;
  return (last.done - from.done) / (last.at - from.at);
}

/** Return in how many seconds what is left will be done, undefined when that is not known. */
export function secondsLeft(total: number, done: number, rate: number | undefined): number | undefined {
  if (total <= done) return 0;
  return rate && rate > 0 ? (total - done) / rate : undefined;
}
