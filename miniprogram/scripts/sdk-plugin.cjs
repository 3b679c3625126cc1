// A graphql-codegen plugin: one typed function for each operation, documents as plain strings, no import at run time.
const { concatAST, print, stripIgnoredCharacters, visit, Kind } = require('graphql')

const pascal = (s) => s[0].toUpperCase() + s.slice(1)
const camel = (s) => s[0].toLowerCase() + s.slice(1)

/** The operations of the documents, each with the fragments it uses, without a character it does not need. */
function operations(documents) {
  const ast = concatAST(documents.map((d) => d.document))
  const fragments = new Map(ast.definitions.filter((d) => d.kind === Kind.FRAGMENT_DEFINITION).map((d) => [d.name.value, d]))
  const uses = (node, seen = new Set()) => {
    visit(node, {
      FragmentSpread({ name: { value } }) {
        if (seen.has(value)) return
        seen.add(value)
        uses(fragments.get(value), seen)
      },
    })
    return seen
  }
  return ast.definitions
    .filter((d) => d.kind === Kind.OPERATION_DEFINITION && d.name)
    .map((definition) => ({
      definition,
      name: camel(definition.name.value),
      type: pascal(definition.name.value) + pascal(definition.operation),
      text: stripIgnoredCharacters([definition, ...[...uses(definition)].map((n) => fragments.get(n))].map(print).join(' ')),
    }))
}

const needsVariables = (d) => d.variableDefinitions.some((v) => v.type.kind === Kind.NON_NULL_TYPE && !v.defaultValue)

module.exports = {
  operations,
  plugin(schema, documents) {
    const ops = operations(documents)
    const codes = schema.getType('ErrorCode')?.getValues().map((v) => v.name) ?? []
    return [
      `/** A GraphQL document: the text of the query, with its types attached for the compiler alone. */`,
      `export type Doc<R, V> = string & { readonly __result?: R; readonly __variables?: V };`,
      ``,
      `/** What the server says went wrong: \`extensions.code\` of every error. */`,
      `export type ErrorCode = ${codes.map((c) => `'${c}'`).join(' | ')};`,
      ``,
      `export const documents = {`,
      ...ops.map((o) => `  ${o.name}: ${JSON.stringify(o.text)} as Doc<${o.type}, ${o.type}Variables>,`),
      `};`,
      ``,
      `export type Request<O = unknown> = <R, V>(doc: Doc<R, V>, variables?: V, options?: O) => Promise<R>;`,
      ``,
      `/** One function for each operation, all sent by request. */`,
      `export function getSdk<O = unknown>(request: Request<O>) {`,
      `  return {`,
      ...ops.map((o) => `    ${o.name}: (variables${needsVariables(o.definition) ? '' : '?'}: ${o.type}Variables, options?: O): Promise<${o.type}> => request(documents.${o.name}, variables, options),`),
      `  };`,
      `}`,
      ``,
      `export type Sdk<O = unknown> = ReturnType<typeof getSdk<O>>;`,
    ].join('\n')
  },
}
