// Parallel coordinates: dragging along an axis chooses a range of it.

import type { EChartsCoreOption } from "echarts/core";
import type { Brushes, ParallelData } from "../core/parallel.ts";
import { short } from "../core/heat.ts";
import { chartIn, tick, type Chart, type Colours } from "./base.ts";
import { VIRIDIS } from "./heatmap.ts";

/** Draw lines into an element, with what is chosen; `onBrush` is told what is chosen then, `onOpen` the point whose line is clicked. */
export function parallelChart(
  root: HTMLElement, signal: AbortSignal, onBrush: (brushes: Brushes) => void, onOpen: (index: number) => void,
): { set: (data: ParallelData, brushes: Brushes, label: string) => void; chart: Chart } {
  const chart = chartIn(root, signal);
  let shown: ParallelData | undefined;
  chart.library.on("axisareaselected", () => {
    const option = chart.library.getOption() as { parallelAxis?: { areaSelectStyle?: unknown; activeIntervals?: [number, number][] }[] };
    const axes = shown?.axes ?? [];
    const found = new Map<string, (readonly [number, number])[]>();
    axes.forEach((axis, i) => {
      const model = (chart.library as unknown as { getModel: () => { getComponent: (name: string, index: number) => { activeIntervals?: [number, number][] } | undefined } }).getModel().getComponent("parallelAxis", i);
      const intervals = model?.activeIntervals ?? option.parallelAxis?.[i]?.activeIntervals ?? [];
      if (intervals.length) found.set(axis.name, intervals.map(([low, high]) => [Math.min(low, high), Math.max(low, high)] as const));
    });
    onBrush(found);
  });
  chart.library.on("click", (event) => {
    const line = shown?.lines[event.dataIndex ?? -1];
    if (line) onOpen(line.index);
  });
  // To draw anew forgets what was chosen, and to choose draws the lines alone: its frame on the axis comes with the next drawing, as of another size.
  const choose = (axes: ParallelData["axes"], brushes: Brushes): void => {
    const found = axes.flatMap((axis, parallelAxisIndex) => {
      const intervals = brushes.get(axis.name);
      return intervals?.length ? [{ type: "axisAreaSelect", parallelAxisIndex, intervals: intervals.map((one) => [...one]) }] : [];
    });
    for (const action of found) chart.library.dispatchAction(action, { silent: true });
    if (found.length) chart.library.resize({ silent: true });
  };
  return {
    chart,
    set: (data, brushes, label) => {
      shown = data;
      chart.set((colours) => optionOf(data, colours), label, () => choose(data.axes, brushes));
    },
  };
}

function optionOf(data: ParallelData, colours: Colours): EChartsCoreOption {
  const last = data.axes.length - 1;
  const values = data.lines.map((line) => line.at[last] ?? Number.NaN).filter((value) => Number.isFinite(value));
  const [low, high] = values.reduce(([least, most], value) => [Math.min(least, value), Math.max(most, value)], [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
  const flat = !(high > low);
  return {
    parallel: {
      left: 42, right: 66, top: 34, bottom: 20,
      parallelAxisDefault: {
        nameLocation: "end", nameGap: 14, nameTextStyle: { color: colours.text, fontSize: 12 }, nameTruncate: { maxWidth: 110 },
        axisLine: { lineStyle: { color: colours.strong } }, axisTick: { lineStyle: { color: colours.strong } }, axisLabel: { color: colours.text, fontSize: 11 },
        areaSelectStyle: { width: 18, borderWidth: 1, borderColor: colours.accent, color: colours.accent, opacity: 0.25 },
        realtime: false,
      },
    },
    parallelAxis: data.axes.map((axis, dim) => ({
      dim,
      name: axis.name,
      ...(axis.kind === "category"
        ? { type: "category", data: axis.values.map(short) }
        : { type: axis.scale === "log" ? "log" : "value", scale: true, axisLabel: { color: colours.text, fontSize: 11, formatter: tick } }),
    })),
    visualMap: values.length ? { show: false, type: "continuous", dimension: last, min: flat ? low - 1 : low, max: flat ? high + 1 : high, inRange: { color: [...VIRIDIS] } } : undefined,
    series: [
      {
        type: "parallel", data: data.lines.map((line) => line.at), smooth: false, progressive: 500,
        lineStyle: { width: data.lines.length > 300 ? 1 : 1.5, opacity: data.lines.length > 300 ? 0.35 : 0.7, color: colours.accent },
        inactiveOpacity: 0.04, activeOpacity: 0.8, emphasis: { lineStyle: { width: 3, opacity: 1 } },
      },
    ],
  };
}
