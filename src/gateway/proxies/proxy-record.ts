import type { Id } from '../../kit/columns/index.ts';
import type { Proxy } from './proxy.entity.ts';

/** How a proxy is spoken to. */
export type ProxyProtocol = 'http' | 'https' | 'socks5';

/** A proxy as the repository answers. `password` is not enumerable: it is in no log, no JSON and no copy of the record. */
export interface ProxyRecord {
  readonly id: Id;
  readonly name: string;
  /** One of {@link ProxyProtocol}, unless something else wrote the row. */
  readonly protocol: string;
  readonly host: string;
  readonly port: number;
  /** Empty for a proxy that asks for no name. */
  readonly username: string;
  /** Empty for a proxy that asks for no password. */
  readonly password: string;
  readonly status: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** A proxy with the number of live accounts that use it. */
export interface ProxyWithAccountCount extends ProxyRecord {
  readonly accountCount: number;
}

/** What a new proxy needs; null and the empty string are no name and no password. */
export interface NewProxy {
  readonly name: string;
  readonly protocol: ProxyProtocol;
  readonly host: string;
  /** From 1 to 65535. */
  readonly port: number;
  readonly username?: string | null;
  readonly password?: string | null;
  readonly status?: string;
}

/** What is left out stays; null and the empty string clear name and password. */
export type ProxyChange = { readonly id: Id } & Partial<NewProxy>;

export interface ProxyFilters {
  readonly protocol?: string;
  readonly status?: string;
  /** Part of the name, in any case. */
  readonly search?: string;
}

/** An account as the list of those that use a proxy shows it. */
export interface ProxyAccountSummary {
  readonly id: Id;
  readonly name: string;
  readonly platform: string;
  readonly type: string;
  readonly notes: string | null;
}

export function proxyRecord(proxy: Proxy): ProxyRecord {
  const { id, name, protocol, host, port, status, createdAt, updatedAt } = proxy;
  const record = {
    id,
    name,
    protocol,
    host,
    port,
    username: proxy.username ?? '',
    status,
    createdAt,
    updatedAt,
  };
  return Object.defineProperty(record, 'password', { value: proxy.password ?? '' }) as unknown as ProxyRecord;
}
