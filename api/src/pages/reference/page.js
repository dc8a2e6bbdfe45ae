// Shows an OpenAPI 3.1 document. Texts are set as text nodes only, so none can become markup.
"use strict";

const main = document.getElementById("main");
const contents = document.getElementById("contents");
let api = null;

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// Returns the target of a reference, and its name.
function follow(thing) {
  if (!thing || !thing.$ref) return [thing || {}, null];
  const steps = thing.$ref.slice(2).split("/");
  const name = steps[steps.length - 1];
  let found = api;
  for (const step of steps) found = found[step.replace(/~1/g, "/").replace(/~0/g, "~")];
  // A description beside a reference takes precedence.
  return [Object.assign({}, found, thing.description ? { description: thing.description } : {}), name];
}

// Makes the paragraphs of a description, with `code` and **strong** text in them.
function paragraphs(text) {
  return (text || "").split(/\n\s*\n/).filter(Boolean).map((paragraph) => {
    const parts = paragraph.replace(/\s*\n\s*/g, " ").split(/(`[^`]+`|\*\*[^*]+\*\*)/);
    return element("p", {}, ...parts.map((part) => {
      if (part.startsWith("`")) return element("code", {}, part.slice(1, -1));
      return part.startsWith("**") ? element("strong", {}, part.slice(2, -2)) : part;
    }));
  });
}

// Returns the schema without null, whether null is one of its values, and its name.
function unwrap(schema) {
  const choices = schema.oneOf || schema.anyOf;
  if (choices) {
    const others = choices.filter((choice) => choice.type !== "null");
    if (others.length === 1) {
      const [inner, name] = follow(others[0]);
      const description = schema.description || inner.description;
      return [Object.assign({}, inner, { description }), others.length < choices.length, name];
    }
  }
  const [inner, name] = follow(schema);
  const types = [].concat(inner.type || []);
  return [inner, types.length === 2 && types.includes("null"), name];
}

function typeOf(schema) {
  const [inner, orNull, name] = unwrap(schema);
  let text = "";
  if (inner.enum) text = inner.enum.map((value) => JSON.stringify(value)).join(" | ");
  else if (inner.type === "array") text = "array of " + typeOf(inner.items);
  else if (inner.properties) text = name || "object";
  else if (inner.additionalProperties) text = "map to " + typeOf(inner.additionalProperties);
  else {
    const types = [].concat(inner.type || "any").filter((type) => !orNull || type !== "null");
    text = types.join(" | ") + (inner.format ? " (" + inner.format + ")" : "");
  }
  return text + (orNull ? " | null" : "");
}

function bounds(schema) {
  const [inner] = unwrap(schema);
  const said = [];
  if (inner.minimum !== undefined && inner.maximum !== undefined) {
    said.push("From " + inner.minimum + " to " + inner.maximum + ".");
  }
  if (inner.default !== undefined) said.push("Default: " + inner.default + ".");
  return said.join(" ");
}

// Lists the members of a schema, of its items or of its values.
function members(schema, seen) {
  const [inner, , name] = unwrap(schema);
  if (name && seen.includes(name)) return null;
  const within = name ? seen.concat(name) : seen;
  if (inner.type === "array") return members(inner.items, within);
  if (inner.properties) {
    const rows = Object.entries(inner.properties).map(([key, value]) => {
      const optional = !(inner.required || []).includes(key);
      const [said] = unwrap(value);
      return row(key, typeOf(value) + (optional ? ", optional" : ""),
        ...paragraphs(value.description || said.description), members(value, within));
    });
    return element("dl", {}, ...rows);
  }
  if (inner.additionalProperties) return members(inner.additionalProperties, within);
  return null;
}

function row(name, type, ...said) {
  const term = element("dt", {}, element("code", {}, name), element("span", { class: "type" }, type));
  return element("div", {}, term, element("dd", {}, ...said));
}

function parameterRow(reference) {
  const [parameter] = follow(reference);
  const schema = parameter.schema || {};
  const type = parameter.in + (parameter.required ? ", required" : "") + ": " +
    typeOf(schema).replace(" | null", "");
  const limits = bounds(schema);
  return row(parameter.name, type, ...paragraphs(parameter.description),
    limits ? element("p", {}, limits) : null);
}

function response(status, reference) {
  const [answer] = follow(reference);
  const good = status < "400";
  const line = element("summary", {}, element("span", { class: good ? "ok" : "not-ok" }, status), " ",
    ...paragraphs(answer.description).flatMap((paragraph) => [...paragraph.childNodes]));
  const shown = element("details", {}, line);
  if (status === "200") shown.open = true;
  for (const [type, content] of Object.entries(answer.content || {})) {
    const schema = content.schema || {};
    const title = element("h4", {}, element("code", {}, type), " " + typeOf(schema));
    shown.append(title);
    const inside = members(schema, []);
    if (inside) shown.append(inside);
  }
  const headers = Object.entries(answer.headers || {});
  if (headers.length) {
    const rows = headers.map(([name, value]) => {
      const [header] = follow(value);
      return row(name, typeOf(header.schema || {}), ...paragraphs(header.description));
    });
    shown.append(element("details", {}, element("summary", {}, "Headers"), element("dl", {}, ...rows)));
  }
  return shown;
}

function example(path, operation) {
  const needsToken = (operation.security || []).length > 0;
  const token = needsToken ? "-H \"authorization: Bearer $TOKEN\" " : "";
  return element("pre", {}, element("code", {}, "curl " + token + "'" + location.origin + path + "'"));
}

function show(path, operation) {
  const roles = (operation.security || []).flatMap((scheme) => Object.values(scheme).flat());
  const open = roles.length ? "roles: " + roles.reverse().join(", ") : "no token required";
  const article = element("article", { id: operation.operationId },
    element("h3", {}, operation.summary || operation.operationId),
    element("div", { class: "path" }, element("span", { class: "method" }, "GET"),
      element("code", {}, path), element("span", { class: "roles" }, open)),
    ...paragraphs(operation.description), example(path, operation));
  if ((operation.parameters || []).length) {
    article.append(element("h4", {}, "Parameters"),
      element("dl", {}, ...operation.parameters.map(parameterRow)));
  }
  article.append(element("h4", {}, "Responses"));
  for (const [status, answer] of Object.entries(operation.responses)) {
    article.append(response(status, answer));
  }
  return article;
}

function render() {
  const title = element("h1", {}, api.info.title + " ", element("small", {}, api.info.version));
  const source = element("a", { href: "v1/openapi.json" }, "openapi.json");
  main.replaceChildren(title, ...paragraphs(api.info.description),
    element("p", {}, "Machine-readable: ", source, " (OpenAPI " + api.openapi + ")."));
  const operations = Object.entries(api.paths).map(([path, item]) => [path, item.get]);
  for (const tag of api.tags || []) {
    const own = operations.filter(([, operation]) => (operation.tags || []).includes(tag.name));
    if (!own.length) continue;
    main.append(element("h2", {}, tag.name), ...paragraphs(tag.description));
    const group = element("div", {}, element("h2", {}, tag.name));
    for (const [path, operation] of own) {
      main.append(show(path, operation));
      group.append(element("a", { href: "#" + operation.operationId, title: path }, operation.summary));
    }
    contents.append(group);
  }
  const scheme = Object.entries((api.components || {}).securitySchemes || {});
  if (scheme.length) {
    main.append(element("h2", {}, "Authentication"), ...paragraphs(scheme[0][1].description));
  }
}

// Hides the operations that do not match every word, in the list and on the page.
function filter(words) {
  for (const group of contents.children) {
    let left = 0;
    for (const link of group.querySelectorAll("a")) {
      const text = (link.textContent + " " + link.title).toLowerCase();
      link.hidden = !words.every((word) => text.includes(word));
      document.getElementById(link.hash.slice(1)).hidden = link.hidden;
      if (!link.hidden) left += 1;
    }
    group.hidden = left === 0;
  }
}

document.getElementById("filter").addEventListener("input", (event) => {
  filter(event.target.value.toLowerCase().split(/\s+/).filter(Boolean));
});

fetch("v1/openapi.json")
  .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error("status " + answer.status))))
  .then((document_) => {
    api = document_;
    render();
    if (location.hash) location.replace(location.hash);
  })
  .catch((error) => {
    document.getElementById("state")?.replaceChildren("The reference could not be loaded: " + error.message);
  });
