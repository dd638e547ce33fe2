/** What an adoption tells while it goes on. */
export type AdoptionEvent =
  | {
      readonly type: 'adoption-step';
      readonly text: string;
      /** Counted from 0. */
      readonly index: number;
      readonly total: number;
    }
  | {
      readonly type: 'adoption-rows';
      readonly text: string;
      readonly rows: number;
      /** Roughly; undefined where nothing tells. */
      readonly estimate: number | undefined;
    };
