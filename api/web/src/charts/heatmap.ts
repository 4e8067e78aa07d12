// A metric over two parameters as coloured cells. Cells without a value are grey.

import type { EChartsCoreOption } from "echarts/core";
import type { Cell, HeatGrid } from "../core/heat.ts";
import { axisLook, chartIn, tick, tooltipLook, type Chart, type Colours } from "./base.ts";

/** Nine steps of viridis (matplotlib, CC0), whose lightness grows evenly: it can be read without colours, too. */
export const VIRIDIS = ["#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"] as const;

export interface HeatOptions {
  x: string;
  y: string;
  metric: string;
  label: string;
}

/** Draw cells into an element; `onOpen` is told the cell that is clicked. */
export function heatmapChart(root: HTMLElement, signal: AbortSignal, onOpen: (cell: Cell) => void): { set: (grid: HeatGrid, options: HeatOptions) => void; chart: Chart } {
  const chart = chartIn(root, signal);
  let shown: HeatGrid | undefined;
  chart.library.on("click", (event) => {
    const cell = shown?.cells[Number((event.data as { value?: number[] } | undefined)?.value?.[3])];
    if (cell?.points.length) onOpen(cell);
  });
  return {
    chart,
    set: (grid, options) => {
      shown = grid;
      chart.set((colours) => optionOf(grid, options, colours), options.label);
    },
  };
}

function optionOf(grid: HeatGrid, options: HeatOptions, colours: Colours): EChartsCoreOption {
  const look = axisLook(colours);
  const category = (name: string, data: string[]): EChartsCoreOption => ({
    ...look, type: "category", data, name, nameLocation: "middle", splitArea: { show: false }, splitLine: { show: false },
  });
  const flat = !(grid.high > grid.low);
  const cells = grid.cells.map((cell, i) => ({ value: [cell.x, cell.y, cell.mean ?? Number.NaN, i] }));
  const known = cells.filter((one) => !Number.isNaN(one.value[2]));
  // A cell that is not a number would not be drawn at all.
  const missing = cells.filter((one) => Number.isNaN(one.value[2])).map(({ value: [x, y, , i] }) => ({ value: [x, y, 0, i] }));
  const widest = Math.max(...grid.ys.map((label) => label.length));
  return {
    grid: { left: 26, right: 78, top: 10, bottom: 26, containLabel: true },
    tooltip: {
      ...tooltipLook(colours),
      formatter: (event: { data?: { value?: number[] } }) => {
        const cell = grid.cells[Number(event.data?.value?.[3])];
        if (!cell) return "";
        const many = cell.count > 1 ? ` (mean of ${cell.count} points)` : "";
        return `${options.x} = ${grid.xs[cell.x]}\n${options.y} = ${grid.ys[cell.y]}\n${options.metric} = ${cell.mean === undefined ? "no value" : tick(cell.mean)}${many}`;
      },
    },
    xAxis: { ...category(options.x, grid.xs), nameGap: 26 },
    yAxis: { ...category(options.y, grid.ys), nameGap: 14 + 6.5 * Math.min(widest, 24) },
    visualMap: {
      type: "continuous", min: flat ? grid.low - 1 : grid.low, max: flat ? grid.high + 1 : grid.high, dimension: 2, seriesIndex: 0, calculable: false, orient: "vertical", right: 4, top: "center",
      itemHeight: 160, itemWidth: 12, text: [tick(grid.high), tick(grid.low)], textStyle: { color: colours.text, fontSize: 11 }, inRange: { color: [...VIRIDIS] }, hoverLink: false,
    },
    series: [
      { type: "heatmap", data: known, itemStyle: { borderColor: colours.ground, borderWidth: grid.cells.length > 1500 ? 0 : 1 }, emphasis: { itemStyle: { borderColor: colours.text, borderWidth: 2 } }, progressive: 2000 },
      // What has no value is grey, which is none of the colours.
      { type: "heatmap", data: missing, visualMap: false, progressive: 2000, itemStyle: { color: colours.line, borderColor: colours.ground, borderWidth: 1 } },
    ],
  };
}
