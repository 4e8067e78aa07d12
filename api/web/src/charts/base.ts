// What all charts share: the library with what is used of it, the page's colours, the size of the place, keyboard and screen readers.

import { LineChart, ScatterChart, HeatmapChart, ParallelChart } from "echarts/charts";
import { DataZoomInsideComponent, GridComponent, LegendComponent, ParallelComponent, TooltipComponent, VisualMapComponent } from "echarts/components";
import { init, use, type ECharts, type EChartsCoreOption } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";

use([
  LineChart, ScatterChart, HeatmapChart, ParallelChart, DataZoomInsideComponent, GridComponent, LegendComponent, ParallelComponent,
  TooltipComponent, VisualMapComponent, CanvasRenderer,
]);

export const SERIES = 6;
/** Marks of series, so that colour is not needed to tell them apart. */
export const MARKS = ["circle", "rect", "triangle", "diamond", "roundRect", "pin"] as const;

/** The page's colours as they are now. */
export interface Colours {
  text: string;
  quiet: string;
  line: string;
  strong: string;
  ground: string;
  sunken: string;
  accent: string;
  series: string[];
  font: string;
}

export interface Chart {
  /** Draw something else, with the colours of the page; `drawn` is called after each time that it is drawn. */
  set: (option: (colours: Colours) => EChartsCoreOption, label: string, drawn?: () => void) => void;
  readonly library: ECharts;
  /** Give back what it holds; it is done by `signal`, too. */
  dispose: () => void;
}

function colours(): Colours {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return {
    text: of("text"), quiet: of("quiet"), line: of("line"), strong: of("line-strong"), ground: of("ground"), sunken: of("sunken"), accent: of("accent"),
    series: Array.from({ length: SERIES }, (_, i) => of(`series-${i + 1}`)),
    font: of("sans"),
  };
}

/** Make a chart in an element that has a size; the element is busy until it is drawn. It follows the element's size, and dark and light. */
export function chartIn(root: HTMLElement, signal: AbortSignal): Chart {
  root.setAttribute("role", "img");
  root.setAttribute("aria-busy", "true");
  const library = init(root, null, { renderer: "canvas" });
  library.on("finished", () => root.removeAttribute("aria-busy"));
  let last: ((colours: Colours) => EChartsCoreOption) | undefined;
  let after: (() => void) | undefined;
  const still = globalThis.matchMedia("(prefers-reduced-motion: reduce)");
  const dark = globalThis.matchMedia("(prefers-color-scheme: dark)");
  const draw = (): void => {
    if (!last || library.isDisposed()) return;
    const found = colours();
    root.setAttribute("aria-busy", "true");
    library.setOption({ animation: !still.matches, animationDuration: 200, animationDurationUpdate: 150, textStyle: { fontFamily: found.font, color: found.text }, ...last(found) }, { notMerge: true });
    after?.();
  };
  const sized = new ResizeObserver(() => {
    if (!library.isDisposed() && root.clientWidth) library.resize();
  });
  sized.observe(root);
  const themed = new MutationObserver(draw);
  themed.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  dark.addEventListener("change", draw);
  const dispose = (): void => {
    sized.disconnect();
    themed.disconnect();
    dark.removeEventListener("change", draw);
    signal.removeEventListener("abort", dispose);
    if (!library.isDisposed()) library.dispose();
  };
  signal.addEventListener("abort", dispose);
  return {
    library,
    dispose,
    set: (option, label, drawn) => {
      root.setAttribute("aria-label", label);
      [last, after] = [option, drawn];
      draw();
    },
  };
}

/** Return how an axis looks. */
export function axisLook(found: Colours): EChartsCoreOption {
  return {
    nameTextStyle: { color: found.quiet, fontSize: 12 },
    axisLine: { lineStyle: { color: found.strong } },
    axisTick: { lineStyle: { color: found.strong } },
    axisLabel: { color: found.quiet, fontSize: 11, hideOverlap: true },
    splitLine: { lineStyle: { color: found.line, opacity: 0.7 } },
    minorSplitLine: { show: false },
  };
}

/** Return how the box beside the pointer looks. It is drawn, not HTML: that would need styles which the Content-Security-Policy refuses. */
export function tooltipLook(found: Colours): EChartsCoreOption {
  return {
    renderMode: "richText", confine: true, backgroundColor: found.ground, borderColor: found.strong, borderWidth: 1, padding: [6, 9],
    textStyle: { color: found.text, fontSize: 12 },
  };
}

/** Return a number as axes and boxes have it: at most five digits. */
export function tick(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e6 || size < 1e-4)) return value.toExponential(2).replace(/\.?0+e/, "e");
  return String(Number(value.toPrecision(5)));
}
