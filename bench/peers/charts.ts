import * as echarts from 'echarts';
import type { Bar } from '../comparison/library.ts';

const ROW = 26;
const OWN = '#2f6f4f';
const OTHER = '#9aa5b1';

/** One horizontal bar for each library with a line for its interval, as SVG; Tombstone's own have a colour of their own. */
export function drawChart(title: string, bars: readonly Bar[]): string {
  const chart = echarts.init(null, null, {
    renderer: 'svg',
    ssr: true,
    width: 820,
    height: 90 + ROW * bars.length,
  });
  chart.setOption({
    animation: false,
    title: { text: title, left: 12, top: 8, textStyle: { fontSize: 14 } },
    grid: { left: 150, right: 60, top: 44, bottom: 34 },
    xAxis: { type: 'value', min: 0 },
    yAxis: { type: 'category', inverse: true, data: bars.map(({ name }) => name), axisTick: { show: false } },
    series: [
      {
        type: 'bar',
        data: bars.map(({ name, median }) => ({
          value: Number(median.toFixed(3)),
          itemStyle: { color: name.startsWith('tombstone') ? OWN : OTHER },
        })),
        label: { show: true, position: 'insideLeft', formatter: '{c}' },
        markLine: { symbol: 'none', silent: true, data: [{ xAxis: 1 }], label: { show: false } },
      },
      {
        type: 'custom',
        data: bars.map(({ low, high }, n) => [n, low, high]),
        renderItem: whisker as never,
        z: 3,
      },
    ],
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return `${svg}\n`;
}

interface Api {
  value(dimension: number): number;
  coord(point: readonly number[]): [number, number];
}

function whisker(_params: unknown, api: Api) {
  const [x1, y] = api.coord([api.value(1), api.value(0)]);
  const [x2] = api.coord([api.value(2), api.value(0)]);
  return { type: 'line', shape: { x1, y1: y, x2, y2: y }, style: { stroke: '#333', lineWidth: 1.5 } };
}
