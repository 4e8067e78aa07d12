// How far a sweep is, from its first point to its last: each stretch of points a bar, in the colours of their states.

import { html, render } from "lit-html";
import { count } from "../core/format.ts";
import { PHASES, type Phase } from "../core/models.ts";
import type { Point } from "../core/points.ts";
import { stretchText, stretches, type Stretch } from "../core/ranges.ts";

const BAR_PIXELS = 5;
const HEIGHT = 36;
/** Stacked in this order from below, so that what failed is at the same edge everywhere. */
const STACK: readonly Phase[] = ["Failed", "Cancelled", "Succeeded", "Running", "Queued", "Pending"];
const TOLD = 20;

export class Strip {
  private readonly root: HTMLElement;
  private points: readonly Point[] = [];
  private total = 0;
  private bars: Stretch[] = [];
  private at: number | undefined;
  private readonly onPick: (stretch: Stretch) => void;

  /** `onPick` is told the stretch that is clicked. */
  constructor(root: HTMLElement, signal: AbortSignal, onPick: (stretch: Stretch) => void) {
    this.root = root;
    this.onPick = onPick;
    const watch = new ResizeObserver(() => this.draw());
    watch.observe(root);
    const themed = new MutationObserver(() => this.draw());
    themed.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    globalThis.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw(), { signal });
    signal.addEventListener("abort", () => {
      watch.disconnect();
      themed.disconnect();
    });
  }

  set(points: readonly Point[], total: number): void {
    this.points = points;
    this.total = total;
    this.draw();
  }

  private draw(): void {
    const width = Math.floor(this.root.clientWidth);
    if (!width) return;
    this.bars = stretches(this.points, this.total, Math.floor(width / BAR_PIXELS));
    const bar = this.at === undefined ? undefined : this.bars[this.at];
    const seen = new Set(this.bars.flatMap((one) => Object.keys(one.counts)));
    const counts = stretches(this.points, this.total, 1)[0];
    const move = (event: PointerEvent): void => this.point(event.offsetX);
    render(
      html`<canvas role="img" aria-label=${`Progress of ${count(this.total)} points: ${counts ? stretchText(counts).replace(/^[^:]*: /, "") : "none yet"}`}
          @pointermove=${move} @pointerdown=${move} @pointerleave=${() => this.point(undefined)} @click=${() => this.pick()}></canvas>
        <div class="legend" aria-hidden="true">
          ${bar ? html`<span>${stretchText(bar)}</span>` : PHASES.filter((phase) => seen.has(phase)).map((phase) => html`<span class="status ${phase}">${phase}</span>`)}
        </div>
        ${this.total > 1
          ? html`<details class="astable"><summary>The same in words</summary><ul>${stretches(this.points, this.total, TOLD).map((one) => html`<li>${stretchText(one)}</li>`)}</ul></details>`
          : ""}`,
      this.root,
    );
    const canvas = this.root.querySelector("canvas");
    if (canvas) this.paint(canvas, width);
  }

  private pick(): void {
    const bar = this.at === undefined ? undefined : this.bars[this.at];
    if (bar) this.onPick(bar);
  }

  private point(x: number | undefined): void {
    const at = x === undefined || !this.bars.length ? undefined : Math.min(this.bars.length - 1, Math.max(0, Math.floor((x / Math.max(1, this.root.clientWidth)) * this.bars.length)));
    if (at === this.at) return;
    this.at = at;
    this.draw();
  }

  private paint(canvas: HTMLCanvasElement, width: number): void {
    const scale = globalThis.devicePixelRatio || 1;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(HEIGHT * scale);
    const context = canvas.getContext("2d");
    if (!context) return;
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
    const colours: Record<Phase, string> = {
      Pending: colour("sunken"), Queued: colour("queued"), Running: colour("running"), Succeeded: colour("succeeded"), Failed: colour("failed"), Cancelled: colour("cancelled"),
    };
    context.scale(scale, scale);
    const gap = this.bars.length * BAR_PIXELS > width * 0.6 ? 0 : 1;
    const size = width / Math.max(1, this.bars.length);
    this.bars.forEach((bar, i) => {
      const all = bar.last - bar.first + 1;
      let bottom = HEIGHT;
      for (const phase of STACK) {
        const many = bar.counts[phase];
        if (!many) continue;
        // One failed point of a thousand is seen, too.
        const high = Math.max(phase === "Failed" ? 2 : 0, (HEIGHT * many) / all);
        context.fillStyle = colours[phase];
        context.fillRect(i * size, Math.max(0, bottom - high), size - gap, Math.min(high, bottom));
        bottom -= high;
      }
      if (i === this.at) {
        context.strokeStyle = colour("text");
        context.lineWidth = 1.5;
        context.strokeRect(i * size + 0.75, 0.75, Math.max(2, size - gap - 1.5), HEIGHT - 1.5);
      }
    });
  }
}
