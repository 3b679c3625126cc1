"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.getClient = getClient;
exports.createClient = createClient;
exports.newIdempotencyKey = newIdempotencyKey;
const auth_1 = require("./auth");
const errors_1 = require("./errors");
const graphql_1 = require("./graphql");
const sdk_1 = require("./sdk");
const session_1 = require("./session");
const upload_1 = require("./upload");
let current;
/** The client of this Mini Program: the last one created. */
function getClient() {
    if (!current)
        throw new Error('wxpass: call createClient() first, in app.js');
    return current;
}
/** Creates the client. Once, in a module that app.js and the pages require. Nothing is sent before it is asked to. */
function createClient(options) {
    var _a, _b, _c;
    var _d, _e, _f, _g, _h, _j, _k, _l, _m;
    const timeout = (_d = options.timeout) !== null && _d !== void 0 ? _d : 10000;
    const language = (_e = options.language) !== null && _e !== void 0 ? _e : 'zh';
    const transport = { endpoint: options.endpoint, timeout, header: (_f = options.header) !== null && _f !== void 0 ? _f : (() => ({})) };
    const session = new session_1.Session({
        endpoint: options.endpoint,
        appId: options.appId,
        storageKey: (_g = options.storageKey) !== null && _g !== void 0 ? _g : 'wxpass',
        renewBefore: (_h = options.renewBefore) !== null && _h !== void 0 ? _h : 24 * 60 * 60 * 1000,
        fuse: { limit: (_j = (_a = options.fuse) === null || _a === void 0 ? void 0 : _a.limit) !== null && _j !== void 0 ? _j : 3, windowMs: (_k = (_b = options.fuse) === null || _b === void 0 ? void 0 : _b.windowMs) !== null && _k !== void 0 ? _k : 5 * 60 * 1000 },
        timeout,
        loginCode: (_c = options.simulate) === null || _c === void 0 ? void 0 : _c.login,
        send: (doc, variables, token) => (0, graphql_1.send)(transport, doc, variables, token),
    });
    /** Whatever happens, a request is sent again at most once for each of: lost answer, refused token, missing step. */
    async function request(document, variables, o = {}) {
        var _a;
        var _b, _c, _d;
        const doc = document.toString(); // one string: the bridge must not see a String object
        const reads = (0, graphql_1.onlyReads)(doc);
        const safe = (_b = o.safe) !== null && _b !== void 0 ? _b : (reads || keyed(variables));
        let resent = false;
        let relogged = false;
        let asked = false;
        for (;;) {
            const token = o.login === false ? undefined : (await session.ensureLogin()).token;
            let answer;
            try {
                answer = await (0, graphql_1.send)(transport, doc, variables, token);
            }
            catch (e) {
                if (!safe || resent || e.code === 'BAD_ANSWER')
                    throw e;
                resent = true;
                continue;
            }
            const error = (0, graphql_1.errorOf)(answer);
            if (!error) {
                noteUser(answer.data);
                return answer.data;
            }
            const stale = token !== undefined && answer.errors.some((e) => { var _a; return ((_a = e.extensions) === null || _a === void 0 ? void 0 : _a.code) === 'UNAUTHENTICATED'; });
            if (stale && !relogged && (reads || (0, graphql_1.nothingRan)(answer, 'UNAUTHENTICATED'))) {
                relogged = true;
                await session.refused(token);
                continue;
            }
            const refusal = (_a = answer.errors.find((e) => { var _a; return ((_a = e.extensions) === null || _a === void 0 ? void 0 : _a.code) === 'AUTH_STEP_REQUIRED'; })) === null || _a === void 0 ? void 0 : _a.extensions;
            if (refusal)
                session.noteSteps((_c = refusal.completedSteps) !== null && _c !== void 0 ? _c : []);
            if (refusal && !asked && o.ask !== false && (reads || (0, graphql_1.nothingRan)(answer, 'AUTH_STEP_REQUIRED'))) {
                asked = true;
                await auth.ask((_d = refusal.missingSteps) !== null && _d !== void 0 ? _d : []);
                continue;
            }
            throw error;
        }
    }
    /** Every user in an answer is the caller: what it says about steps is news. */
    function noteUser(data) {
        var _a;
        for (const value of Object.values((data !== null && data !== void 0 ? data : {}))) {
            const user = value && ((_a = value.user) !== null && _a !== void 0 ? _a : (value.steps ? value : undefined));
            if (user === null || user === void 0 ? void 0 : user.steps)
                session.note({ ...session.user, ...user });
        }
    }
    const sdk = (0, sdk_1.getSdk)(request);
    const auth = new auth_1.Auth(session, () => sdk.me(), (_l = options.present) !== null && _l !== void 0 ? _l : (0, auth_1.presentPopup)((_m = options.popupId) !== null && _m !== void 0 ? _m : 'auth-popup'));
    const client = {
        sdk,
        request,
        login: () => session.login().then(() => { }),
        ensureLogin: () => session.ensureLogin().then(() => { }),
        renew: () => session.renew(),
        logout: (scope) => session.logout(scope),
        ensureSessionKey: () => session.ensureSessionKey(),
        mustAuth: auth.mustAuth,
        uploadAvatar: (filePath) => { var _a; return (0, upload_1.upload)({ ...transport, endpoint: (_a = options.uploadUrl) !== null && _a !== void 0 ? _a : uploadUrl(options.endpoint) }, session, filePath); },
        get user() {
            return session.user;
        },
        status: { login: session.status, auth: auth.status },
        messageFor: (error) => (0, errors_1.messageFor)(error, language, options.texts),
        language,
        phoneCode: ({ code, errMsg = '', errno }) => {
            var _a;
            const simulated = (_a = options.simulate) === null || _a === void 0 ? void 0 : _a.phone;
            return simulated && errno !== 1400001 && !/deny|cancel|privacy/i.test(errMsg) ? simulated : code;
        },
        session,
        auth,
    };
    current = client;
    return client;
}
const uploadUrl = (endpoint) => endpoint.replace(/\/graphql\/?$/, '') + '/upload/avatar';
/** Whether the variables carry the key that makes repeating a mutation safe. */
function keyed(variables) {
    const input = variables === null || variables === void 0 ? void 0 : variables.input;
    return typeof (input === null || input === void 0 ? void 0 : input.idempotencyKey) === 'string';
}
/** A key for one order: make it when the user decides, and keep it until the order is answered. */
function newIdempotencyKey() {
    const random = () => Math.random().toString(36).slice(2, 12);
    return `${Date.now().toString(36)}-${random()}${random()}`;
}
