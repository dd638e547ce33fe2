import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { publicHttpsUrl } from 'tombstone/gateway';

const RUNS = { numRuns: 500 };

function verdict(url: unknown): string {
  try {
    return publicHttpsUrl('url', url);
  } catch (error) {
    const { code, message } = error as Error & { code: string };
    // A URL may be signed, so it is in no message.
    expect(typeof url !== 'string' || url === '' || !message.includes(url)).toBe(true);
    return code;
  }
}

const isRefused = (url: unknown): boolean => verdict(url) === 'VALIDATION';

describe('a public https URL', () => {
  it.each([
    ['https://example.com', 'https://example.com/'],
    [
      'https://videos.openai.com/vg/a%2Fb?sig=x%2B&se=2026',
      'https://videos.openai.com/vg/a%2Fb?sig=x%2B&se=2026',
    ],
    ['https://example.com./a', 'https://example.com./a'],
    ['https://example.com:8443/a', 'https://example.com:8443/a'],
    ['https://bücher.example.com/', 'https://xn--bcher-kva.example.com/'],
    ['HTTPS://EXAMPLE.COM/A', 'https://example.com/A'],
    ['https://8.8.8.8/', 'https://8.8.8.8/'],
    ['https://0x08080808/', 'https://8.8.8.8/'],
    ['https://[2606:4700::1111]/', 'https://[2606:4700::1111]/'],
    ['https://127.0.0.1.example.com/', 'https://127.0.0.1.example.com/'],
    ['https://local.example.com/', 'https://local.example.com/'],
    ['https://my_bucket.s3.amazonaws.com/a', 'https://my_bucket.s3.amazonaws.com/a'],
    // What a parser leaves out is not stored.
    ['https://exam\nple.com/', 'https://example.com/'],
    [String.raw`https:\\example.com\a`, 'https://example.com/a'],
  ])('%p is stored as it is read', (url, stored) => {
    expect(verdict(url)).toBe(stored);
  });

  it.each<[string, readonly unknown[]]>([
    ['no text', [null, undefined, 5, {}, [], new URL('https://example.com')]],
    [
      'no URL',
      [
        '',
        'example.com',
        '/a',
        '//example.com',
        'https://',
        'https:///',
        'https://exa mple.com/',
        `https://example.com/${'a'.repeat(16_384)}`,
      ],
    ],
    [
      'another scheme',
      [
        'http://example.com',
        'ftp://example.com',
        'file:///etc/passwd',
        'javascript:alert(1)',
        'data:,x',
        'blob:https://example.com/a',
        'gopher://example.com',
      ],
    ],
    [
      'a user or a password',
      [
        'https://a@example.com',
        'https://a:b@example.com',
        'https://:b@example.com',
        'https://example.com@8.8.8.8/',
      ],
    ],
    [
      'a loopback',
      [
        'https://127.0.0.1',
        'https://127.1',
        'https://127.255.255.254',
        'https://2130706433',
        'https://0x7f000001',
        'https://0177.0.0.1',
        'https://0x7f.1',
        'https://017700000001',
        'https://127.0.0.1.',
        'https://[::1]',
        'https://[0:0:0:0:0:0:0:1]',
        'https://%31%32%37.0.0.1',
      ],
    ],
    [
      'full-width and enclosed digits',
      [
        'https://１２７.０.０.１',
        'https://①②⑦.⓪.⓪.①',
        'https://127。0。0。1',
        'https://ⓛocalhost',
        'https://ｌｏｃａｌｈｏｓｔ',
      ],
    ],
    ['no address', ['https://0.0.0.0', 'https://0', 'https://[::]', 'https://255.255.255.255']],
    [
      'a private one',
      [
        'https://10.0.0.1',
        'https://10.1',
        'https://172.16.0.1',
        'https://172.31.255.255',
        'https://192.168.1.1',
        'https://3232235777',
        'https://[fc00::1]',
        'https://[fd12:3456::1]',
        'https://[fec0::1]',
      ],
    ],
    [
      'a link-local one',
      [
        'https://169.254.1.1',
        'https://[fe80::1]',
        'https://[fe80::1%25eth0]',
        'https://[fe80::1%eth0]',
        'https://[febf::1]',
      ],
    ],
    [
      'metadata',
      [
        'https://169.254.169.254/latest',
        'https://0xa9fea9fe',
        'https://2852039166',
        'https://[fd00:ec2::254]',
        'https://100.100.100.200',
        'https://168.63.129.16',
        'https://192.0.0.192',
        'https://metadata.google.internal/',
        'https://[::ffff:169.254.169.254]',
      ],
    ],
    [
      'of a carrier, for tests, reserved, multicast',
      [
        'https://100.64.0.1',
        'https://198.18.0.1',
        'https://192.0.2.1',
        'https://198.51.100.1',
        'https://203.0.113.1',
        'https://240.0.0.1',
        'https://224.0.0.1',
        'https://239.1.1.1',
        'https://[ff02::1]',
        'https://[2001:db8::1]',
        'https://[3fff::1]',
        'https://[100::1]',
        'https://[5f00::1]',
      ],
    ],
    [
      'IPv4 inside IPv6',
      [
        'https://[::ffff:127.0.0.1]',
        'https://[::ffff:7f00:1]',
        'https://[::127.0.0.1]',
        'https://[::7f00:1]',
        'https://[::ffff:0:127.0.0.1]',
        'https://[64:ff9b::127.0.0.1]',
        'https://[64:ff9b:1::7f00:1]',
        'https://[2002:7f00:1::]',
        'https://[2001:0:7f00:1::]',
        'https://[::8.8.8.8]',
        'https://[::ffff:8.8.8.8]',
      ],
    ],
    [
      'a name of one’s own network',
      [
        'https://localhost',
        'https://localhost.',
        'https://LOCALHOST',
        'https://a.localhost',
        'https://printer.local',
        'https://printer.local.',
        'https://db.internal',
        'https://router.home.arpa',
        'https://1.0.0.127.in-addr.arpa',
        'https://intranet',
        'https://a.lan',
        'https://a.corp',
        'https://a.onion',
        'https://a.test',
        'https://localhost.localdomain',
      ],
    ],
    [
      'a name that is none',
      [
        'https://a..example.com',
        'https://.example.com',
        'https://-a.example.com',
        'https://a-.example.com',
        `https://${'a'.repeat(64)}.example.com`,
        `https://${'a.'.repeat(127)}example.com`,
      ],
    ],
  ])('is not one with %s', (_what, urls) => {
    expect(urls.filter((url) => !isRefused(url))).toEqual([]);
  });
});

/** What keeps a bare look at the text from seeing an address: as the rule would be without a parser. */
const seenByText = (url: string): boolean => /^https:\/\/(127|10|192\.168|169\.254)\./.test(url);

const PRIVATE: readonly (readonly [number, number])[] = [
  [0x00_00_00_00, 8],
  [0x0a_00_00_00, 8],
  [0x64_40_00_00, 10],
  [0x7f_00_00_00, 8],
  [0xa9_fe_00_00, 16],
  [0xac_10_00_00, 12],
  [0xc0_00_00_00, 24],
  [0xc0_a8_00_00, 16],
  [0xc6_12_00_00, 15],
  [0xe0_00_00_00, 4],
  [0xf0_00_00_00, 4],
];

const privateAddress = fc
  .tuple(fc.constantFrom(...PRIVATE), fc.nat(0xff_ff_ff_ff))
  .map(([[base, bits], n]) => base + (n % 2 ** (32 - bits)));

const bytes = (address: number): number[] => [24, 16, 8, 0].map((shift) => (address >>> shift) & 255);
const digits = fc.constantFrom<(part: number) => string>(
  (part) => String(part),
  (part) => `0x${part.toString(16)}`,
  (part) => `0X${part.toString(16).toUpperCase()}`,
  (part) => `0${part.toString(8)}`,
  (part) => `0x000${part.toString(16)}`,
);

/** An address of IPv4 in one, two, three or four parts, each in a base of its own, with or without a dot behind it. */
const notation = (address: number) =>
  fc
    .tuple(fc.integer({ min: 1, max: 4 }), fc.array(digits, { minLength: 4, maxLength: 4 }), fc.boolean())
    .map(([parts, write, dot]) => {
      const all = bytes(address);
      const tail = all.slice(parts - 1).reduce((sum, byte) => sum * 256 + byte, 0);
      const numbers = [...all.slice(0, parts - 1), tail];
      return numbers.map((part, n) => write[n]?.(part)).join('.') + (dot ? '.' : '');
    });

/** The same, as other characters that a browser reads as digits and dots. */
const disguise = fc.constantFrom<(text: string) => string>(
  (text) => text,
  (text) => text.replace(/[!-~]/g, (char) => String.fromCharCode(char.charCodeAt(0) + 0xfe_e0)),
  (text) => text.replaceAll('.', '。'),
  (text) => text.replace(/[0-9]/g, (char) => `%3${char}`),
  (text) => text.split('').join('\t'),
);

const groups = (address: number): string => {
  const [a = 0, b = 0, c = 0, d = 0] = bytes(address);
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
};
const dotted = (address: number): string => bytes(address).join('.');

const inside = fc.constantFrom<(address: number) => string>(
  (address) => `::ffff:${groups(address)}`,
  (address) => `::ffff:${dotted(address)}`,
  (address) => `0:0:0:0:0:FFFF:${dotted(address)}`,
  (address) => `::${groups(address)}`,
  (address) => `::ffff:0:${groups(address)}`,
  (address) => `64:ff9b::${groups(address)}`,
  (address) => `64:ff9b:1::${groups(address)}`,
  (address) => `2002:${groups(address)}::1`,
  (address) => `2001:0:${groups(address)}::1`,
  (address) => `2606:4700::5efe:${groups(address)}`,
  (address) => `2606:4700:0:7:200:5efe:${dotted(address)}`,
);

describe('an address that is not public', () => {
  it('is refused in every notation of IPv4', () => {
    let unseen = 0;
    const spelled = privateAddress.chain((address) => fc.tuple(notation(address), disguise));
    fc.assert(
      fc.property(spelled, ([host, hide]) => {
        const url = `https://${hide(host)}/`;
        if (!seenByText(url)) unseen += 1;
        expect([url, isRefused(url)]).toEqual([url, true]);
      }),
      RUNS,
    );
    // A look at the text would have let most of them through.
    expect(unseen).toBeGreaterThan(RUNS.numRuns / 2);
  });

  it('is refused in every notation inside IPv6, whatever the address is', () => {
    fc.assert(
      fc.property(fc.nat(0xff_ff_ff_ff), inside, (address, write) => {
        expect(isRefused(`https://[${write(address)}]/`)).toBe(true);
      }),
      RUNS,
    );
  });

  it('is refused when it is of IPv6 and outside of the space for hosts', () => {
    const outside = fc
      .array(fc.nat(0xff_ff), { minLength: 8, maxLength: 8 })
      .filter(([first = 0]) => first >> 13 !== 1);
    fc.assert(
      fc.property(outside, (parts) => {
        expect(isRefused(`https://[${parts.map((part) => part.toString(16)).join(':')}]/`)).toBe(true);
      }),
      RUNS,
    );
  });
});

it('a public address of IPv4 is stored in one notation, whichever it had', () => {
  const address = fc.nat(0xff_ff).map((n) => 0x08_08_00_00 + n);
  fc.assert(
    fc.property(
      address.chain((n) => fc.tuple(fc.constant(n), notation(n), disguise)),
      ([n, host, hide]) => {
        expect(verdict(`https://${hide(host)}/`)).toBe(`https://${dotted(n)}/`);
      },
    ),
    RUNS,
  );
});

it('what is stored is public again, whatever was given', () => {
  fc.assert(
    fc.property(
      fc.webUrl({ validSchemes: ['https'], withFragments: true, withQueryParameters: true }),
      (url) => {
        const stored = verdict(url);
        if (stored !== 'VALIDATION') expect(verdict(stored)).toBe(stored);
      },
    ),
    RUNS,
  );
});

it('and also where it grows by being stored', () => {
  const url = (letters: number) => verdict(`https://example.com/${'é'.repeat(letters)}`);
  const most = Math.floor((16_384 - 'https://example.com/'.length) / '%C3%A9'.length);
  const longest = url(most);
  expect([verdict(longest), url(most + 1)]).toEqual([longest, 'VALIDATION']);
});

it.each(['kubernetes.default.svc', 'db.cluster', 'vault.service.consul', 'a.docker.', 'WPAD.domain'])(
  'the private name %s is refused',
  (host) => expect(isRefused(`https://${host}/`)).toBe(true),
);
