import t from "tap";
import { compareClauses, repositoryClauses } from "./clauses.ts";

const spec = (text: string) => [{ path: "specs/1.md", text }];
const test = (text: string) => [{ path: "test/a.test.ts", text }];

t.test("a clause is defined by a bold id at the start of a line, and named in a test's title", async (t) => {
  const specs = spec(
    "**VM-A-1** One.\n\n- **VM-A-2**: two, see **VM-A-1**.\n1. **VM-B-C-3** three\n| **VM-A-4** | four |\n",
  );
  const tests = test('t.test("[VM-A-1] one");\n  name: "[VM-A-2, VM-B-C-3] both",\nt.ok(x, `[VM-A-4]`);\n');
  t.strictSame(compareClauses(specs, tests), { defined: 4, untested: [], undefined: [], duplicate: [] });
});

t.test(
  "clauses without a test, tests without a clause and second definitions are listed with their place",
  async (t) => {
    const specs = spec("**VM-A-1** One.\n\n**VM-A-2** Two.\n\n**VM-A-1** Again.\n");
    t.strictSame(compareClauses(specs, test('t.test("[VM-A-2] and [VM-A-9]");')), {
      defined: 2,
      untested: ["specs/1.md:1: VM-A-1"],
      undefined: ["test/a.test.ts:1: VM-A-9"],
      duplicate: ["specs/1.md:5: VM-A-1 (first at specs/1.md:1)"],
    });
  },
);

t.test("code blocks define nothing, comments name nothing", async (t) => {
  const specs = spec("```\n**VM-A-1** example\n```\n\n**VM-A-2** Real.\n");
  const tests = test("// it's [VM-A-2]\n * don't [VM-A-2]\nconst a = b[VM-A-2];\n");
  t.strictSame(compareClauses(specs, tests).untested, ["specs/1.md:5: VM-A-2"]);
  t.strictSame(compareClauses(specs, tests).undefined, []);
});

t.test("the specs and tests of this repository agree", async (t) => {
  const { defined, ...lists } = repositoryClauses();
  t.ok(defined > 0, "specs/ defines clauses");
  t.strictSame(lists, { untested: [], undefined: [], duplicate: [] });
});
