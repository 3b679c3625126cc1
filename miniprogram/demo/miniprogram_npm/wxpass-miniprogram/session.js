"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.Session = void 0;
const errors_1 = require("./errors");
const graphql_1 = require("./graphql");
const sdk_1 = require("./sdk");
const status_1 = require("./status");
const UNKNOWN_LIFE = 60 * 60 * 1000;
/** Keeps one token, and one login at a time. What is under way is set before anything is awaited. */
class Session {
    constructor(options) {
        this.options = options;
        /** Where the login has got to. */
        this.status = new status_1.Status();
        this.relogins = [];
        this.grant = this.restore();
        if (this.grant)
            this.status.success(this.grant);
    }
    /** The steps the user had passed when the server last said. */
    get steps() {
        var _a;
        var _b;
        return (_b = (_a = this.grant) === null || _a === void 0 ? void 0 : _a.steps) !== null && _b !== void 0 ? _b : [];
    }
    /** Logs in anew, with a code of wx.login. Whoever calls while that is under way gets the same promise. */
    login() {
        if (this.loggingIn)
            return this.loggingIn;
        const login = this.tripped() ? Promise.reject(this.fuseError()) : this.exchange();
        this.loggingIn = login;
        this.status.begin();
        const over = () => {
            if (this.loggingIn === login)
                this.loggingIn = undefined;
        };
        login.then((grant) => {
            over();
            this.status.success(grant);
        }, (e) => {
            over();
            this.status.fail(e);
        });
        return login;
    }
    /**
     * Answers with a token that counts: the one at hand, else that of the login under way, else that of a login it starts.
     * A token near its end is renewed meanwhile.
     */
    ensureLogin() {
        if (this.loggingIn)
            return this.loggingIn;
        if (!this.grant || this.grant.expiresAt <= Date.now())
            return this.login();
        if (this.nearEnd(this.grant))
            this.renew().catch(() => { }); // the old token is good, and asked for again next time
        return Promise.resolve(this.grant);
    }
    /**
     * What to do when the server refused a token: one re-login for all who hold it. Rejects with LOGIN_FUSE_TRIPPED when
     * there were too many of late.
     */
    refused(token) {
        if (this.loggingIn)
            return this.loggingIn;
        if (this.grant && this.grant.token !== token)
            return Promise.resolve(this.grant); // somebody has logged in since
        if (!this.tripped()) {
            if (this.relogins.length >= this.options.fuse.limit)
                this.trippedAt = Date.now();
            else
                this.relogins.push(Date.now());
        }
        this.forget();
        return this.login();
    }
    /** Trades the token for one that lasts longer. The old one stays good, so nobody waits for this. */
    renew() {
        if (this.renewing)
            return this.renewing;
        const old = this.grant;
        if (!old)
            return this.ensureLogin().then(() => { });
        const renewing = this.options.send(sdk_1.documents.renewSession, undefined, old.token).then((answer) => {
            var _a;
            const error = (0, graphql_1.errorOf)(answer);
            if (error)
                throw error;
            const payload = (_a = answer.data) === null || _a === void 0 ? void 0 : _a.renewSession;
            if (payload && this.grant === old)
                this.keep({ ...old, ...this.times(payload.expiresAt), token: payload.token });
        });
        this.renewing = renewing;
        const over = () => {
            this.renewing = undefined;
        };
        renewing.then(over, over);
        return renewing;
    }
    /**
     * Ends the session, here at once and on the server. When the server could not be told this rejects, and the session
     * ends there with its token. The next request that needs a login makes a new session.
     */
    async logout(scope = 'THIS') {
        if (this.loggingIn)
            await this.loggingIn.catch(() => { });
        const grant = this.grant;
        if (!grant)
            return;
        if (scope !== 'OTHERS') {
            this.forget();
            this.user = undefined;
            this.status.reset();
        }
        const error = (0, graphql_1.errorOf)(await this.options.send(sdk_1.documents.logout, { input: { scope } }, grant.token));
        if (error && error.code !== 'UNAUTHENTICATED')
            throw error; // refused: it had ended already
    }
    /**
     * Makes sure that data WeChat encrypts from now on opens on the server. Await it before the button is shown: a login
     * after the tap may bring a new key, and what was encrypted does not open any more.
     */
    async ensureSessionKey() {
        await this.ensureLogin();
        const alive = await new Promise((resolve) => {
            wx.checkSession({ success: () => resolve(true), fail: () => resolve(false) });
        });
        if (!alive)
            await this.login();
    }
    /** Notes what the server says about the user. */
    note(user) {
        this.user = user;
        this.noteSteps(user.steps);
    }
    noteSteps(steps) {
        if (this.grant)
            this.keep({ ...this.grant, steps });
    }
    /** Lets go of the token, and of nothing on the server. */
    forget() {
        this.grant = undefined;
        wx.removeStorageSync(this.options.storageKey);
    }
    async exchange() {
        var _a;
        var _b, _c;
        for (let attempt = 1;; attempt++) {
            const code = await loginCode(this.options.timeout);
            const input = { code: (_b = this.options.loginCode) !== null && _b !== void 0 ? _b : code, appId: this.options.appId };
            const answer = await this.options.send(sdk_1.documents.silentLogin, { input }, undefined);
            const payload = (_a = answer.data) === null || _a === void 0 ? void 0 : _a.silentLogin;
            if (payload) {
                const grant = { endpoint: this.options.endpoint, token: payload.token, ...this.times(payload.expiresAt), steps: payload.user.steps };
                this.user = payload.user;
                this.keep(grant);
                return grant;
            }
            const error = (_c = (0, graphql_1.errorOf)(answer)) !== null && _c !== void 0 ? _c : new errors_1.WxpassError('BAD_ANSWER', 'silentLogin answered nothing');
            if (error.code !== 'LOGIN_CODE_INVALID' || attempt === 2)
                throw error; // a code that grew old gets one successor
        }
    }
    /** A token just received is alive, whatever the clock of the device says. */
    times(expiresAt) {
        const now = Date.now();
        const end = Date.parse(expiresAt);
        return { receivedAt: now, expiresAt: end > now ? end : now + UNKNOWN_LIFE };
    }
    nearEnd(grant) {
        const margin = Math.min(this.options.renewBefore, (grant.expiresAt - grant.receivedAt) / 4);
        return grant.expiresAt - Date.now() < margin;
    }
    /** Whether the fuse has tripped; it restores by itself. */
    tripped() {
        const { windowMs } = this.options.fuse;
        const now = Date.now();
        const recent = (t) => t <= now && now - t < windowMs; // a clock set back must not keep it open
        if (this.trippedAt !== undefined) {
            if (recent(this.trippedAt))
                return true;
            this.trippedAt = undefined;
            this.relogins = [];
        }
        this.relogins = this.relogins.filter(recent);
        return false;
    }
    fuseError() {
        const { limit, windowMs } = this.options.fuse;
        return new errors_1.WxpassError('LOGIN_FUSE_TRIPPED', `the server refused the tokens of ${limit} logins; no more for ${windowMs / 1000} s. Do TOKEN_KEYS differ between instances?`);
    }
    keep(grant) {
        this.grant = grant;
        try {
            wx.setStorageSync(this.options.storageKey, grant);
        }
        catch (e) {
            console.warn('wxpass: storage is full, the login lasts until the app closes', e);
        }
    }
    restore() {
        const kept = wx.getStorageSync(this.options.storageKey);
        if (!kept || kept.endpoint !== this.options.endpoint || !kept.token || !(kept.expiresAt > Date.now()))
            return undefined;
        return kept;
    }
}
exports.Session = Session;
function loginCode(timeout) {
    return new Promise((resolve, reject) => {
        wx.login({
            timeout,
            success: ({ code }) => (code ? resolve(code) : reject(new errors_1.WxpassError('WECHAT_LOGIN_FAILED', 'wx.login gave no code'))),
            fail: (e) => reject(new errors_1.WxpassError('WECHAT_LOGIN_FAILED', e.errMsg)),
        });
    });
}
