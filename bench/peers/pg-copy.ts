import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { Pool } from 'pg';
import { from } from 'pg-copy-streams';
import { type Connections, type Library, type Usage, USAGE_FIELDS } from '../comparison/library.ts';
import { COPY_USAGES } from '../comparison/statements.ts';

/** COPY through `pg-copy-streams`: a batch of rows and nothing else. */
export async function open({ url, size }: Connections): Promise<Library> {
  const pool = new Pool({ connectionString: url, max: size });
  const copy = async (usages: readonly Usage[]): Promise<void> => {
    const client = await pool.connect();
    try {
      await pipeline(Readable.from([usages.map(line).join('')]), client.query(from(COPY_USAGES)));
    } finally {
      client.release();
    }
  };
  return { ways: { W5: copy }, close: () => pool.end() };
}

const ESCAPED: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

const line = (usage: Usage): string =>
  `${USAGE_FIELDS.map((field) => String(usage[field]).replaceAll(/[\\\n\r\t]/g, (c) => ESCAPED[c] as string)).join('\t')}\n`;
