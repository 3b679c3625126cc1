"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.send = send;
exports.read = read;
exports.transportError = transportError;
exports.errorOf = errorOf;
exports.onlyReads = onlyReads;
exports.nothingRan = nothingRan;
const errors_1 = require("./errors");
const ACCEPT = 'application/graphql-response+json, application/json;q=0.9';
/**
 * Sends one document once; nothing else calls wx.request. Rejects with NETWORK, TIMEOUT or BAD_ANSWER when the server
 * was not heard; what the server refused is in the answer.
 */
function send(transport, doc, variables, token) {
    const header = { ...transport.header(), 'content-type': 'application/json', accept: ACCEPT };
    if (token)
        header.authorization = `Bearer ${token}`;
    return new Promise((resolve, reject) => {
        wx.request({
            url: transport.endpoint,
            method: 'POST',
            timeout: transport.timeout,
            header,
            data: JSON.stringify({ query: doc, variables }),
            success: (res) => {
                try {
                    resolve(read(res.data, res.statusCode));
                }
                catch (e) {
                    reject(e);
                }
            },
            fail: (e) => reject(transportError(e)),
        });
    });
}
/** Reads an answer; wx.request succeeds for every HTTP status, and hands over text when it is not JSON. */
function read(body, statusCode) {
    var _a;
    let value = body;
    if (typeof value === 'string') {
        try {
            value = JSON.parse(value);
        }
        catch (_b) {
            value = undefined;
        }
    }
    const answer = value;
    const errors = answer && Array.isArray(answer.errors) ? answer.errors : [];
    if (errors.length === 0 && (typeof answer !== 'object' || answer === null || !answer.data)) {
        throw new errors_1.WxpassError('BAD_ANSWER', `HTTP ${statusCode} with a body that is not a GraphQL answer`);
    }
    return { data: (_a = answer === null || answer === void 0 ? void 0 : answer.data) !== null && _a !== void 0 ? _a : null, errors };
}
/** What a `fail` of wx.request or wx.uploadFile means. */
function transportError(e) {
    var _a;
    const text = (_a = e.errMsg) !== null && _a !== void 0 ? _a : 'request:fail';
    return new errors_1.WxpassError(/time(d )?-?\s?out/i.test(text) ? 'TIMEOUT' : 'NETWORK', text);
}
/** The error of an answer, or undefined when there is none. */
function errorOf(answer) {
    var _a;
    var _b, _c;
    const first = answer.errors[0];
    if (!first)
        return undefined;
    return new errors_1.WxpassError(((_b = (_a = first.extensions) === null || _a === void 0 ? void 0 : _a.code) !== null && _b !== void 0 ? _b : 'INTERNAL'), first.message, answer.errors, (_c = answer.data) !== null && _c !== void 0 ? _c : undefined);
}
/** Whether a document only reads. One that is not plainly a query counts as a mutation. */
function onlyReads(doc) {
    return /^\s*(query\b|\{)/.test(doc) && !/[}\s]mutation\b/.test(doc);
}
/**
 * Whether the answer says that nothing of the document ran because of `code`: each root field was refused with it. Such
 * a request may be repeated even when it is a mutation.
 */
function nothingRan(answer, code) {
    const data = answer.data;
    return (answer.errors.length > 0 &&
        answer.errors.every((e) => { var _a, _b; var _c; return ((_a = e.extensions) === null || _a === void 0 ? void 0 : _a.code) === code && ((_c = (_b = e.path) === null || _b === void 0 ? void 0 : _b.length) !== null && _c !== void 0 ? _c : 0) <= 1; }) &&
        (data === null || Object.keys(data).every((k) => data[k] === null)));
}
