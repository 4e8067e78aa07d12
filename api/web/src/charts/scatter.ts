// A metric against one parameter: a mark for each point, in groups by the values of another.

import type { EChartsCoreOption } from "echarts/core";
import { axisLook, chartIn, MARKS, SERIES, tick, tooltipLook, type Chart, type Colours } from "./base.ts";

export interface Mark {
  index: number;
  x: number;
  y: number;
}

export interface ScatterGroup {
  name: string;
  marks: readonly Mark[];
}

export interface ScatterOptions {
  x: string;
  y: string;
  xLog: boolean;
  yLog: boolean;
  /** Names of the places on the horizontal axis, if they are no numbers. */
  categories?: readonly string[];
  /** Whether marks of a group are joined, in the order of x. */
  isJoined: boolean;
  label: string;
}

const LARGE = 4000;

/** Draw marks into an element; `onOpen` is told the point whose mark is clicked. */
export function scatterChart(root: HTMLElement, signal: AbortSignal, onOpen: (index: number) => void): { set: (groups: readonly ScatterGroup[], options: ScatterOptions) => void; chart: Chart } {
  const chart = chartIn(root, signal);
  chart.library.on("click", (event) => {
    const index = (event.data as number[] | undefined)?.[2];
    if (index !== undefined) onOpen(index);
  });
  return { chart, set: (groups, options) => chart.set((colours) => optionOf(groups, options, colours), options.label) };
}

function optionOf(groups: readonly ScatterGroup[], options: ScatterOptions, colours: Colours): EChartsCoreOption {
  const look = axisLook(colours);
  const several = groups.length > 1;
  const total = groups.reduce((sum, group) => sum + group.marks.length, 0);
  const data = (group: ScatterGroup): number[][] => group.marks.filter((mark) => !(options.yLog && mark.y <= 0) && !(options.xLog && mark.x <= 0)).map((mark) => [mark.x, mark.y, mark.index]);
  const horizontal = options.categories
    ? { ...look, type: "category", data: [...options.categories] }
    : { ...look, type: options.xLog ? "log" : "value", scale: true, axisLabel: { color: colours.quiet, fontSize: 11, hideOverlap: true, formatter: tick } };
  return {
    color: colours.series,
    grid: { left: 12, right: 18, top: several ? 52 : 28, bottom: 26, containLabel: true },
    legend: several ? { type: "scroll", top: 0, left: 0, itemWidth: 14, itemHeight: 8, textStyle: { color: colours.text, fontSize: 12 }, pageTextStyle: { color: colours.quiet }, pageIconColor: colours.text, pageIconInactiveColor: colours.line } : { show: false },
    tooltip: {
      ...tooltipLook(colours),
      trigger: "item",
      formatter: (event: { data?: number[]; seriesName?: string }) => {
        const [x = 0, y = 0, index = 0] = event.data ?? [];
        const at = options.categories ? (options.categories[x] ?? "") : tick(x);
        return `point ${index}\n${options.x} = ${at}\n${options.y} = ${tick(y)}${several ? `\n${event.seriesName}` : ""}`;
      },
    },
    dataZoom: [{ type: "inside", zoomOnMouseWheel: "ctrl", moveOnMouseMove: true, moveOnMouseWheel: false, filterMode: "none" }],
    xAxis: { ...horizontal, name: options.x, nameLocation: "middle", nameGap: 26 },
    yAxis: { ...look, type: options.yLog ? "log" : "value", name: options.y, nameTextStyle: { color: colours.quiet, fontSize: 12, align: "left" }, scale: true, axisLabel: { color: colours.quiet, fontSize: 11, formatter: tick } },
    series: groups.map((group, i) => ({
      type: options.isJoined ? "line" : "scatter",
      name: group.name,
      data: data(group),
      symbol: MARKS[Math.floor(i / SERIES + i) % MARKS.length],
      symbolSize: total > LARGE ? 3 : total > 500 ? 5 : 8,
      ...(options.isJoined ? { lineStyle: { width: 1.5, type: i < 3 ? "solid" : i < 5 ? "dashed" : "dotted" }, showSymbol: true, triggerLineEvent: false } : { itemStyle: { opacity: total > 500 ? 0.65 : 0.9 } }),
      ...(total > LARGE && !options.isJoined ? { progressive: 5000 } : {}),
      emphasis: { focus: several ? "series" : "none" },
    })),
  };
}
