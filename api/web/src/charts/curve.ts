// Curves: values over an axis, one or several over each other.

import type { EChartsCoreOption } from "echarts/core";
import { axisLook, chartIn, MARKS, tick, tooltipLook, type Chart, type Colours } from "./base.ts";

export interface Curve {
  name: string;
  y: ArrayLike<number>;
  /** Where each value stands; 0, 1, 2, … if not given. */
  x?: ArrayLike<number>;
}

export interface CurveOptions {
  xName?: string;
  yName?: string;
  xLog?: boolean;
  yLog?: boolean;
  /** What it shows, for those who do not see it. */
  label: string;
}

/** More values than this are drawn at less than a pixel each: then the lowest and the highest of each stretch are. */
const MOST = 4000;
const MARKED = 60;

/** Return points of a curve, thinned out so that its lowest and highest values stay. */
export function thinned(curve: Curve, most = MOST): [number, number][] {
  const { y, x } = curve;
  const at = (i: number): [number, number] => [x ? (x[i] ?? Number.NaN) : i, y[i] ?? Number.NaN];
  if (y.length <= most) return Array.from({ length: y.length }, (_, i) => at(i));
  const points: [number, number][] = [];
  const step = Math.ceil((2 * y.length) / most);
  for (let from = 0; from < y.length; from += step) {
    let [low, high] = [from, from];
    for (let i = from; i < Math.min(y.length, from + step); i += 1) {
      if ((y[i] ?? 0) < (y[low] ?? 0)) low = i;
      if ((y[i] ?? 0) > (y[high] ?? 0)) high = i;
    }
    points.push(...(low === high ? [at(low)] : low < high ? [at(low), at(high)] : [at(high), at(low)]));
  }
  return points;
}

/** Draw curves into an element; `set` of what is returned draws others. */
export function curveChart(root: HTMLElement, signal: AbortSignal): { set: (curves: readonly Curve[], options: CurveOptions) => void; chart: Chart } {
  const chart = chartIn(root, signal);
  return { chart, set: (curves, options) => chart.set((colours) => optionOf(curves, options, colours), options.label) };
}

function optionOf(curves: readonly Curve[], options: CurveOptions, colours: Colours): EChartsCoreOption {
  const look = axisLook(colours);
  const several = curves.length > 1;
  return {
    color: colours.series,
    grid: { left: 12, right: 18, top: several ? 34 : 26, bottom: options.xName ? 26 : 8, containLabel: true },
    legend: several ? { top: 0, left: 0, type: "plain", itemWidth: 18, itemHeight: 8, textStyle: { color: colours.text, fontSize: 12 } } : { show: false },
    tooltip: { ...tooltipLook(colours), trigger: "axis", valueFormatter: (value: unknown) => tick(Number(value)) },
    dataZoom: [{ type: "inside", zoomOnMouseWheel: "ctrl", moveOnMouseMove: true, moveOnMouseWheel: false, filterMode: "none" }],
    xAxis: { ...look, type: options.xLog ? "log" : "value", name: options.xName ?? "", nameLocation: "middle", nameGap: 24, scale: true, axisLabel: { color: colours.quiet, fontSize: 11, hideOverlap: true, formatter: tick } },
    yAxis: { ...look, type: options.yLog ? "log" : "value", name: several ? "" : (options.yName ?? ""), nameTextStyle: { color: colours.quiet, fontSize: 12, align: "left" }, scale: true, axisLabel: { color: colours.quiet, fontSize: 11, formatter: tick } },
    series: curves.map((curve, i) => ({
      type: "line",
      name: curve.name,
      data: thinned(curve).map(([x, y]) => [x, options.yLog && y <= 0 ? null : y]),
      showSymbol: curve.y.length <= MARKED,
      symbol: MARKS[i % MARKS.length],
      symbolSize: 6,
      connectNulls: false,
      lineStyle: { width: 1.75, type: i < 3 ? "solid" : i < 5 ? "dashed" : "dotted" },
      emphasis: { focus: several ? "series" : "none" },
    })),
  };
}
