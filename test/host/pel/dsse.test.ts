/** Envelopes and statements, held against what their formats publish. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import t from "tap";
import { publicKeyBytes } from "../../../host/assets/signature.ts";
import {
  checkEnvelope,
  keyIdOf,
  MOST_ENVELOPE_BYTES,
  MOST_PAYLOAD_BYTES,
  parseEnvelope,
  preAuthEncoding,
  signEnvelope,
} from "../../../host/pel/dsse.ts";
import { encodeStatement, parseStatement, STATEMENT_PAYLOAD } from "../../../host/pel/slsa.ts";

const utf8 = (text: string): Uint8Array => Buffer.from(text);
const hex = (text: string): Uint8Array => Buffer.from(text, "hex");
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

/** RFC 8032, §7.1, tests 1 and 2. */
const SEEDS = {
  A: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
  B: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
} as const;
const PUBLIC_KEYS = {
  A: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
  B: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
} as const;
type KeyName = keyof typeof SEEDS;

function privateKeyOf(name: KeyName) {
  const prefix = hex("302e020100300506032b657004220420");
  return createPrivateKey({ key: Buffer.concat([prefix, hex(SEEDS[name])]), format: "der", type: "pkcs8" });
}

const IN_TOTO = "application/vnd.in-toto+json";
const STATEMENT = '{"_type":"https://in-toto.io/Statement/v1"}';
const SIGNED_BY_A = "2WAfaHm5jluo0w+0rk8uVkluELJYWjSmU9x7EUzx+AyteDGJ4/nqyJXfmAUVFIAoQafWm7AxBZNw5M9ixNHiCA==";
const SIGNED_BY_B = "c1+67/aT0yqEpwx8PsVY3MLHsj9D0CZ014/Fv/QlG59P+9CobUZ7xECJ/V3USG0Ob9CiE5LjReEZUzNF2l7eBw==";

interface Vector {
  readonly id: string;
  readonly payload: string;
  readonly type: string;
  readonly signatures: readonly { readonly sig: string; readonly keyid?: string }[];
  readonly trusted: readonly KeyName[];
  /** What the signature covers. */
  readonly message: string;
  readonly isAccepted: boolean;
}

/** github.com/secure-systems-lab/dsse, testvectors/vectors.json; every key that is trusted has to have signed. */
const VECTORS: readonly Vector[] = [
  {
    id: "single-signature",
    payload: "eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEifQ==",
    type: IN_TOTO,
    signatures: [{ sig: SIGNED_BY_A, keyid: "A" }],
    trusted: ["A"],
    message: `DSSEv1 28 ${IN_TOTO} 43 ${STATEMENT}`,
    isAccepted: true,
  },
  {
    id: "url-safe-base64",
    payload: "-_-_Pj8=",
    type: IN_TOTO,
    signatures: [
      { sig: "P-_KHICeR7tI6S_YyejJTRtrXhcQyQ2LYPaL8h90KjC9qN8HU_svOQ6TuDOT1HIrsGW886DbWNWcCmX5twLrAw==", keyid: "A" },
    ],
    trusted: ["A"],
    message: `DSSEv1 28 ${IN_TOTO} 5 \u00fb\u00ff\u00bf\u003e\u003f`,
    isAccepted: true,
  },
  {
    id: "payload-type-swapped",
    payload: "eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEifQ==",
    type: "application/vnd.example.other+json",
    signatures: [{ sig: SIGNED_BY_A, keyid: "A" }],
    trusted: ["A"],
    message: `DSSEv1 28 ${IN_TOTO} 43 ${STATEMENT}`,
    isAccepted: false,
  },
  {
    id: "non-ascii-payload-type",
    payload: "eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEifQ==",
    type: "application/vnd.exämple+json",
    signatures: [
      { sig: "xmSk/ug66ysT7ayhkCIjhAq42zgZXSsEWuzUaNL7w2eGAdF/NU6/fRXPtmfN+5DNSAs5/i2lUnHjbbjPsu0tAw==", keyid: "A" },
    ],
    trusted: ["A"],
    message: `DSSEv1 29 application/vnd.ex\u00c3\u00a4mple+json 43 ${STATEMENT}`,
    isAccepted: true,
  },
  {
    id: "empty-payload",
    payload: "",
    type: IN_TOTO,
    signatures: [
      { sig: "gSggCAaTLTYyRH6FIDBem6meyIynsYy8RTHVzwx9tnTb7Bg/1jMWnuVgI/gffqmbsC2VX5/jHfkkDqsj7CDbDg==", keyid: "A" },
    ],
    trusted: ["A"],
    message: `DSSEv1 28 ${IN_TOTO} 0 `,
    isAccepted: true,
  },
  {
    id: "empty-payload-type",
    payload: "eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEifQ==",
    type: "",
    signatures: [
      { sig: "iC3q/+3Rm0+lpAJRueDmDh15PnwCfxKmS0NAfKsbv+zgulXQC/WM9trc+j1XEqlwDIg/vf/uNfebeD6sxInrDg==", keyid: "A" },
    ],
    trusted: ["A"],
    message: `DSSEv1 0  43 ${STATEMENT}`,
    isAccepted: false,
  },
  ...[
    { id: "threshold-two-distinct-keys", second: SIGNED_BY_B, keyids: ["A", "B"], isAccepted: true },
    { id: "threshold-two-one-key-twice", second: SIGNED_BY_A, keyids: ["A", "A"], isAccepted: false },
    { id: "threshold-two-without-keyids", second: SIGNED_BY_B, keyids: [], isAccepted: true },
  ].map(({ id, second, keyids, isAccepted }) => ({
    id,
    payload: "eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEifQ==",
    type: IN_TOTO,
    signatures: [SIGNED_BY_A, second].map((sig, k) => (keyids.length > 0 ? { sig, keyid: keyids[k]! } : { sig })),
    trusted: ["A", "B"] as const,
    message: `DSSEv1 28 ${IN_TOTO} 43 ${STATEMENT}`,
    isAccepted,
  })),
];

t.test("[PER-ATTEST-1, PER-ATTEST-2] the published vectors of DSSE are signed and taken as they say", (t) => {
  for (const { id, payload, type, signatures, trusted, message, isAccepted } of VECTORS) {
    const envelope = parseEnvelope(utf8(JSON.stringify({ payload, payloadType: type, signatures })));
    const keys = trusted.map((name) => hex(PUBLIC_KEYS[name]));
    // What a supporter of the type asks for; nobody supports the empty one.
    const check = () => checkEnvelope(envelope, keys, type === "" ? IN_TOTO : type);
    if (isAccepted) t.doesNotThrow(check, id);
    else t.throws(check, { code: id === "empty-payload-type" ? "PEL-ENVELOPE" : "PEL-SIGNATURE" }, id);
    if (id === "payload-type-swapped") continue;
    t.strictSame(Buffer.from(preAuthEncoding(type, envelope.payload)), Buffer.from(message, "latin1"), `${id}: PAE`);
    if (!isAccepted) continue;
    const signed = JSON.parse(signEnvelope(type, envelope.payload, trusted.map(privateKeyOf)));
    const standard = signatures.map(({ sig }) => sig.replaceAll("-", "+").replaceAll("_", "/"));
    t.strictSame(
      signed.signatures.map(({ sig }: { sig: string }) => sig),
      standard,
      `${id}: our signatures`,
    );
  }
  t.end();
});

t.test("[PER-ATTEST-1] the example of the protocol, and what other implementations hold theirs against", (t) => {
  // github.com/secure-systems-lab/dsse, protocol.md.
  const type = "http://example.com/HelloWorld";
  t.equal(textOf(preAuthEncoding(type, utf8("hello world"))), "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
  // github.com/secure-systems-lab/go-securesystemslib, dsse/sign_test.go.
  t.equal(textOf(preAuthEncoding("", utf8(""))), "DSSEv1 0  0 ");
  t.equal(textOf(preAuthEncoding(type, utf8("ಠ"))), "DSSEv1 29 http://example.com/HelloWorld 3 ಠ");

  const envelope = parseEnvelope(
    utf8(`{"payload": "aGVsbG8gd29ybGQ=",
 "payloadType": "http://example.com/HelloWorld",
 "signatures": [{"sig": "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="}]}`),
  );
  t.match(envelope, { payloadType: type, signatures: [{ keyId: "" }] });
  t.equal(textOf(envelope.payload), "hello world");
  const coordinate = (digits: bigint): string =>
    Buffer.from(hex(digits.toString(16).padStart(64, "0"))).toString("base64url");
  const key = createPublicKey({
    key: {
      kty: "EC",
      crv: "P-256",
      x: coordinate(46950820868899156662930047687818585632848591499744589407958293238635476079160n),
      y: coordinate(5640078356564379163099075877009565129882514886557779369047442380624545832820n),
    },
    format: "jwk",
  });
  const message = preAuthEncoding(envelope.payloadType, envelope.payload);
  t.ok(verify("sha256", message, { key, dsaEncoding: "ieee-p1363" }, envelope.signatures[0]!.signature), "by ECDSA");
  t.throws(() => checkEnvelope(envelope, [hex(PUBLIC_KEYS.A)], type), { code: "PEL-SIGNATURE" }, "by no Ed25519 key");
  t.end();
});

t.test("[PER-ATTEST-2] keys have the fingerprints that they have for SSH", (t) => {
  // docs.github.com, "GitHub's SSH key fingerprints".
  const line = Buffer.from("AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl", "base64");
  t.equal(keyIdOf(line.subarray(-32)), "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU");
  const { signatures } = JSON.parse(signEnvelope(IN_TOTO, utf8("x"), [privateKeyOf("A"), privateKeyOf("B")]));
  t.strictSame(
    signatures.map(({ keyid }: { keyid: string }) => keyid),
    [hex(PUBLIC_KEYS.A), hex(PUBLIC_KEYS.B)].map(keyIdOf),
  );
  t.end();
});

t.test("[PER-ATTEST-2] a key's name decides nothing: a signature is its key's under any name", (t) => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const mine = publicKeyBytes(publicKey);
  const [A, B] = [hex(PUBLIC_KEYS.A), hex(PUBLIC_KEYS.B)];
  const envelope = JSON.parse(signEnvelope(IN_TOTO, utf8(STATEMENT), [privateKey]));
  const named = (keyid: string | null | undefined) => {
    const signatures = [{ ...envelope.signatures[0], keyid }];
    return parseEnvelope(utf8(JSON.stringify({ ...envelope, signatures })));
  };
  for (const name of [undefined, null, "", "of nobody", keyIdOf(A), keyIdOf(mine)])
    t.doesNotThrow(() => checkEnvelope(named(name), [mine], IN_TOTO), String(name));
  t.throws(() => checkEnvelope(named(keyIdOf(A)), [A], IN_TOTO), { code: "PEL-SIGNATURE" }, "nor under a right one");
  t.throws(() => checkEnvelope(named(keyIdOf(mine)), [mine, B], IN_TOTO), {
    code: "PEL-SIGNATURE",
    message: `there is no valid signature by ${keyIdOf(B)}; the envelope names "${keyIdOf(mine)}"`,
  });
  t.throws(() => checkEnvelope(named(""), [], IN_TOTO), { code: "PEL-ARGUMENT" });
  t.throws(
    () => checkEnvelope(named(""), [new Uint8Array(32).fill(255)], IN_TOTO),
    { code: "PEL-SIGNATURE" },
    "no key",
  );
  t.throws(() => checkEnvelope(named(""), [mine], "application/json"), {
    code: "PEL-ENVELOPE",
    place: { pointer: "/payloadType" },
  });
  t.end();
});

t.test("[PER-ATTEST-3] what is no envelope is told from one, and where", (t) => {
  const sig = SIGNED_BY_A;
  const good = { payload: "", payloadType: IN_TOTO, signatures: [{ sig }] };
  const cases: readonly (readonly [string, string, string | undefined])[] = [
    ["", "PEL-ENVELOPE", ""],
    ["null", "PEL-ENVELOPE", ""],
    ["[]", "PEL-ENVELOPE", ""],
    ['"x"', "PEL-ENVELOPE", ""],
    [`\ufeff${JSON.stringify(good)}`, "PEL-ENVELOPE", ""],
    [`${JSON.stringify(good)}{}`, "PEL-ENVELOPE", ""],
    ['{"payload":"","payload":"","payloadType":"","signatures":[]}', "PEL-ENVELOPE", "/payload"],
    [
      '{"payload":"","payloadType":"","signatures":[{"sig":"","keyid":"","sig":""}]}',
      "PEL-ENVELOPE",
      "/signatures/0/sig",
    ],
    [JSON.stringify({ ...good, payload: undefined }), "PEL-ENVELOPE", "/payload"],
    [JSON.stringify({ ...good, payload: 7 }), "PEL-ENVELOPE", "/payload"],
    [JSON.stringify({ ...good, payloadType: undefined }), "PEL-ENVELOPE", "/payloadType"],
    [JSON.stringify({ ...good, signatures: undefined }), "PEL-ENVELOPE", "/signatures"],
    [JSON.stringify({ ...good, signatures: {} }), "PEL-ENVELOPE", "/signatures"],
    [JSON.stringify({ ...good, signatures: [sig] }), "PEL-ENVELOPE", "/signatures/0"],
    [JSON.stringify({ ...good, signatures: [{ sig }, {}] }), "PEL-ENVELOPE", "/signatures/1/sig"],
    [JSON.stringify({ ...good, signatures: [{ sig, keyid: 3 }] }), "PEL-ENVELOPE", "/signatures/0/keyid"],
    [JSON.stringify({ ...good, signatures: new Array(65).fill({ sig }) }), "PEL-LIMIT", "/signatures"],
    [`{"payload":${"[".repeat(100_000)}`, "PEL-ENVELOPE", undefined],
    ['{"payload":"\\ud800","payloadType":"","signatures":[]}', "PEL-ENVELOPE", "/payload"],
    // go-securesystemslib, dsse/verify_test.go and sign_test.go: what is no base64, or lacks its padding.
    ...["Not base 64", "/w", "_w", "aGVsbG8", "=", "====", "a===", "-_+/", "/x==", "/w==\n", "ä", "//8"].map(
      (payload) => [JSON.stringify({ ...good, payload }), "PEL-ENVELOPE", "/payload"] as const,
    ),
    ...["not base 64", "AAA", "AB=="].map(
      (bad) => [JSON.stringify({ ...good, signatures: [{ sig: bad }] }), "PEL-ENVELOPE", "/signatures/0/sig"] as const,
    ),
  ];
  for (const [text, code, pointer] of cases) {
    const found = { code, ...(pointer === undefined ? {} : { place: { pointer } }) };
    t.throws(() => parseEnvelope(utf8(text)), found, text.slice(0, 90));
  }
  t.throws(() => parseEnvelope(Uint8Array.of(0x7b, 0xff, 0x7d)), { code: "PEL-ENVELOPE" }, "no UTF-8");
  t.throws(
    () => parseEnvelope(new Uint8Array(MOST_ENVELOPE_BYTES + 1)),
    { code: "PEL-LIMIT" },
    "more than is possible",
  );
  t.throws(() => signEnvelope(IN_TOTO, new Uint8Array(MOST_PAYLOAD_BYTES + 1), []), { code: "PEL-LIMIT" });

  const unsigned = parseEnvelope(utf8(JSON.stringify({ ...good, signatures: [], more: { of: ["others"] } })));
  t.strictSame(unsigned.signatures, [], "members that are not known are nothing to it");
  t.throws(() => checkEnvelope(unsigned, [hex(PUBLIC_KEYS.A)], IN_TOTO), { code: "PEL-SIGNATURE" });
  t.end();
});

t.test("[PER-ATTEST-2, PER-ATTEST-3] no byte of an envelope can be changed", (t) => {
  const text = signEnvelope(IN_TOTO, utf8(STATEMENT), [privateKeyOf("A")]);
  const bytes = Buffer.from(text);
  const parts = [text.indexOf('"keyid"'), text.indexOf('"sig"')] as const;
  let refused = 0;
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at] = changed[at]! ^ 1;
    try {
      checkEnvelope(parseEnvelope(changed), [hex(PUBLIC_KEYS.A)], IN_TOTO);
      // Only what nobody signs: the name of the key.
      t.ok(at >= parts[0] && at < parts[1], `byte ${at}`);
    } catch (error) {
      t.match(error, { code: /^PEL-(ENVELOPE|SIGNATURE)$/ }, `byte ${at}`);
      refused++;
    }
  }
  t.ok(refused > bytes.length / 2, `${refused} of ${bytes.length}`);
  t.end();
});

/** github.com/actions/buildtypes, workflow/v1/example.json, which slsa.dev names as an example. */
const PUBLISHED = {
  _type: "https://in-toto.io/Statement/v1",
  predicateType: "https://slsa.dev/provenance/v1",
  predicate: {
    buildDefinition: {
      buildType: "https://github.com/actions/buildtypes/workflow/v1",
      externalParameters: {
        runner_environment: "github-hosted",
        workflow: {
          ref: "refs/heads/main",
          repository: "https://github.com/octocat/hello-world",
          path: ".github/workflow/release.yml",
        },
      },
      internalParameters: {
        github: { event_name: "workflow_dispatch", repository_id: "1296269", repository_owner_id: "583231" },
      },
      resolvedDependencies: [
        {
          uri: "git+https://github.com/octocat/hello-world@refs/heads/main",
          digest: { gitCommit: "c27d339ee6075c1f744c5d4b200f7901aad2c369" },
        },
      ],
    },
    runDetails: {
      builder: {
        id: "https://github.com/octocat/builders/.github/workflows/builder_go_slsa3.yml@refs/tags/v1.0.0",
      },
      metadata: { invocationId: "https://github.com/octocat/hello-world/actions/runs/1536140711/attempts/1" },
    },
  },
  subject: [{ name: "_", digest: { sha256: "fe4fe40ac7250263c5dbe1cf3138912f3f416140aa248637a60d65fe22c47da4" } }],
};

interface Members {
  [key: string]: unknown;
}

/** The example with the value at a pointer replaced; undefined: without it. */
function changed(pointer: string, value: unknown): Uint8Array {
  const statement: unknown = structuredClone(PUBLISHED);
  const steps = pointer.split("/").slice(1);
  const last = steps.pop()!;
  const parent = steps.reduce((at, step) => (at as Members)[step], statement) as Members;
  parent[last] = value;
  return utf8(JSON.stringify(statement));
}

t.test("[PER-ATTEST-4] statements are read as their formats publish them", (t) => {
  t.equal(STATEMENT_PAYLOAD, IN_TOTO);
  const statement = parseStatement(utf8(JSON.stringify(PUBLISHED)));
  t.strictSame(JSON.parse(JSON.stringify(statement)), PUBLISHED);
  t.strictSame(JSON.parse(textOf(encodeStatement(statement))), PUBLISHED);
  // github.com/in-toto/attestation, go/v1/statement_test.go and go/predicates/provenance/v1/provenance_test.go.
  const descriptor = '{"name":"theResource","digest":{"alg1":"abc123"}}';
  const definition = `"buildDefinition":{"buildType":"theBuildType","externalParameters":{"param1":{"subKey":"subVal"}},"resolvedDependencies":[${descriptor}]}`;
  const builder = `{"id":"theId","version":{"theComponent":"v0.1"},"builderDependencies":[${descriptor}]}`;
  const details = `"runDetails":{"builder":${builder},"metadata":{"invocationId":"theInvocationId"},"byproducts":[${descriptor}]}`;
  const whole = (predicate: string): Uint8Array =>
    utf8(
      `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"theSub","digest":{"alg1":"abc123"}}],"predicateType":"https://slsa.dev/provenance/v1","predicate":{${predicate}}}`,
    );
  t.equal(parseStatement(whole(`${definition},${details}`)).predicate.runDetails.builder.id, "theId");
  for (const [predicate, pointer] of [
    [`"buildDefinition":{},${details}`, "/predicate/buildDefinition/buildType"],
    [`${definition.replace('"buildType":"theBuildType",', "")},${details}`, "/predicate/buildDefinition/buildType"],
    [
      `${definition.replace('"externalParameters":{"param1":{"subKey":"subVal"}},', "")},${details}`,
      "/predicate/buildDefinition/externalParameters",
    ],
    [`${definition},"runDetails":{}`, "/predicate/runDetails/builder"],
    [`${definition},"runDetails":{"builder":{}}`, "/predicate/runDetails/builder/id"],
    [`${definition},${details.replace("theId", "")}`, "/predicate/runDetails/builder/id"],
  ] as const)
    t.throws(() => parseStatement(whole(predicate)), { code: "PEL-STATEMENT", place: { pointer } }, predicate);
  for (const [pointer, value, where = pointer] of [
    ["/_type", "https://in-toto.io/Statement/v0"],
    ["/_type", undefined],
    ["/subject", []],
    ["/subject", undefined],
    ["/subject/0", { downloadLocation: "https://example.com/test.zip" }],
    ["/subject/0", { name: "theSub", downloadLocation: "https://example.com/test.zip" }],
    ["/subject/0/digest", undefined, "/subject/0"],
    ["/subject/0", { uri: "https://example.com/test.zip" }, "/subject/0/digest"],
    ["/subject/0/digest/sha256", "abcd"],
    ["/subject/0/digest/sha256", "FE4FE40AC7250263C5DBE1CF3138912F3F416140AA248637A60D65FE22C47DA4"],
    ["/subject/0/digest/sha256", 7],
    ["/predicateType", ""],
    ["/predicateType", "https://slsa.dev/provenance/v0.2"],
    ["/predicate", undefined],
    ["/predicate", []],
    ["/predicate/buildDefinition/resolvedDependencies", {}],
    ["/predicate/buildDefinition/resolvedDependencies/0", { name: "nothing of it" }],
    ["/predicate/runDetails/metadata", "then"],
    ["/predicate/runDetails/byproducts", [7], "/predicate/runDetails/byproducts/0"],
  ] as const)
    t.throws(
      () => parseStatement(changed(pointer, value)),
      { code: "PEL-STATEMENT", place: { pointer: where } },
      `${pointer}: ${JSON.stringify(value)}`,
    );
  // slsa.dev/provenance/v1, parsing rules: unset, null and empty are one.
  for (const [pointer, value] of [
    ["/predicate/buildDefinition/internalParameters", null],
    ["/predicate/buildDefinition/resolvedDependencies", null],
    ["/predicate/runDetails/metadata", null],
    ["/predicate/runDetails/byproducts", null],
    ["/subject/0/name", null],
    ["/subject/0/annotations", null],
    ["/predicate/someone_else", [{}]],
  ] as const)
    t.doesNotThrow(() => parseStatement(changed(pointer, value)), pointer);
  t.throws(() => parseStatement(utf8('{"_type":"a","_type":"b"}')), {
    code: "PEL-STATEMENT",
    place: { pointer: "/_type" },
  });
  t.throws(() => parseStatement(utf8("[".repeat(40))), { code: "PEL-STATEMENT" });
  t.throws(() => parseStatement(Uint8Array.of(0xff)), { code: "PEL-STATEMENT" });
  t.end();
});
