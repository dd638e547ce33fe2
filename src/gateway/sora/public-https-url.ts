import ipaddr from 'ipaddr.js';
import { InvalidInputError } from '../../kit/errors/index.ts';
import { checkText } from '../../kit/input/index.ts';

const LONGEST = 16_384;

/** What a network of one's own, or of containers, calls its hosts; the last four are no part of the public tree of names. */
const PRIVATE_ENDINGS: ReadonlySet<string> = new Set([
  'localhost',
  'localdomain',
  'local',
  'internal',
  'intranet',
  'private',
  'corp',
  'home',
  'lan',
  'domain',
  'svc',
  'cluster',
  'consul',
  'docker',
  'arpa',
  'onion',
  'alt',
  'test',
  'invalid',
]);

const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

// The only space from which addresses of hosts are given; in what is left out, an address of IPv4 can be written in many ways.
const GLOBAL_UNICAST: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse('2000::'), 3];

/** Public by their number, and answered by the machine that a program of Azure runs on. */
const METADATA: ReadonlySet<string> = new Set(['168.63.129.16']);

/**
 * An address of a public host as it may be stored and, later, fetched: https, no user or password in it, and a host that is a
 * name of the public tree or a public IP address. It is answered as the URL parser of the platform writes it, so that whoever
 * fetches it sees what was checked here: `0x7f.1`, full-width digits and the like are read before they are judged.
 *
 * What a name resolves to is not asked: it may be something else a second later, and is for whoever fetches.
 *
 * @throws InvalidInputError (code VALIDATION), which never shows the URL: it may be signed.
 */
export function publicHttpsUrl(field: string, value: unknown): string {
  const text = checkText(field, value, { max: LONGEST, filled: true });
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'https:') throw new InvalidInputError(field, 'be an https URL');
  if (url.username !== '' || url.password !== '')
    throw new InvalidInputError(field, 'have no user and no password in it');
  if (!isPublicHost(url.hostname)) throw new InvalidInputError(field, 'be on a public host');
  // Percent-encoding makes it longer, and what is stored must pass again before it is fetched.
  return checkText(field, url.href, { max: LONGEST });
}

function isPublicHost(hostname: string): boolean {
  if (hostname.startsWith('[')) return isPublicAddress(hostname.slice(1, -1));
  // The parser has made one notation of all that mean an address of IPv4.
  if (ipaddr.IPv4.isValidFourPartDecimal(hostname)) return isPublicAddress(hostname);
  return isPublicName(hostname.replace(/\.$/, ''));
}

function isPublicAddress(text: string): boolean {
  const address = ipaddr.parse(text);
  if (address.range() !== 'unicast' || METADATA.has(text)) return false;
  return address instanceof ipaddr.IPv6 ? address.match(GLOBAL_UNICAST) && !isOfIsatap(address) : true;
}

/** Behind any prefix, an IPv4 address of a network of one's own (RFC 5214): the only form that the prefix does not tell. */
function isOfIsatap({ parts }: ipaddr.IPv6): boolean {
  return ((parts[4] ?? 0) & ~0x0200) === 0 && parts[5] === 0x5efe;
}

function isPublicName(name: string): boolean {
  const labels = name.split('.');
  if (labels.length < 2 || name.length > 253) return false;
  return labels.every((label) => LABEL.test(label)) && !PRIVATE_ENDINGS.has(labels.at(-1) ?? '');
}
