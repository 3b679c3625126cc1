"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.WxpassError = void 0;
exports.messageFor = messageFor;
/** What every promise of this package rejects with. Its message is for developers; `messageFor` words it for people. */
class WxpassError extends Error {
    constructor(code, message, errors = [], data) {
        super(message);
        Object.setPrototypeOf(this, WxpassError.prototype); // or `instanceof` fails where classes are compiled to ES5
        this.name = 'WxpassError';
        this.code = code;
        this.errors = errors;
        this.data = data;
    }
    /** What the server adds to the code: missingSteps, retryAfterSeconds, requestId and so on. */
    get extensions() {
        var _a;
        var _b;
        return (_b = (_a = this.errors[0]) === null || _a === void 0 ? void 0 : _a.extensions) !== null && _b !== void 0 ? _b : {};
    }
}
exports.WxpassError = WxpassError;
const zh = {
    UNAUTHENTICATED: '登录已失效，请重试',
    AUTH_STEP_REQUIRED: '请先完成授权',
    LOGIN_CODE_INVALID: '登录失败，请重试',
    PHONE_CODE_INVALID: '手机号授权已过期，请再点一次',
    SESSION_KEY_EXPIRED: '授权已过期，请再点一次',
    ENCRYPTED_DATA_INVALID: '授权数据无效，请再点一次',
    PHONE_ALREADY_BOUND: '该手机号已绑定其他账号',
    ACCOUNT_BLOCKED: '账号暂时无法使用，请联系客服',
    BAD_INPUT: '填写的内容有误，请检查',
    CONFLICT: '状态已变化，请刷新后再试',
    RATE_LIMITED: '操作太频繁，请稍后再试',
    WECHAT_UNAVAILABLE: '微信服务繁忙，请稍后再试',
    SERVER_MISCONFIGURED: '服务暂不可用，请联系客服',
    GRAPHQL_PARSE_FAILED: '当前版本有误，请更新小程序',
    GRAPHQL_VALIDATION_FAILED: '当前版本有误，请更新小程序',
    QUERY_TOO_COMPLEX: '请求内容过大，请减少后再试',
    OPERATION_NOT_TRUSTED: '当前版本有误，请更新小程序',
    INTERNAL: '服务出了点问题，请稍后再试',
    NETWORK: '网络连接失败，请检查网络',
    TIMEOUT: '网络超时，请稍后再试',
    BAD_ANSWER: '服务暂不可用，请稍后再试',
    WECHAT_LOGIN_FAILED: '微信登录失败，请重试',
    LOGIN_FUSE_TRIPPED: '登录遇到问题，请过几分钟再试',
    AUTH_CANCELLED: '已取消授权',
    AUTH_POPUP_MISSING: '当前页面无法授权',
    PHONE_DENIED: '需要手机号才能继续',
    PHONE_QUOTA_EXHAUSTED: '手机号服务暂不可用，请联系客服',
    PRIVACY_REFUSED: '请先同意隐私保护指引',
};
const en = {
    UNAUTHENTICATED: 'Your login has ended. Please try again.',
    AUTH_STEP_REQUIRED: 'Please finish authorization first.',
    LOGIN_CODE_INVALID: 'Login failed. Please try again.',
    PHONE_CODE_INVALID: 'That authorization has expired. Please tap again.',
    SESSION_KEY_EXPIRED: 'That authorization has expired. Please tap again.',
    ENCRYPTED_DATA_INVALID: 'That authorization is not valid. Please tap again.',
    PHONE_ALREADY_BOUND: 'Another account has this phone number.',
    ACCOUNT_BLOCKED: 'This account cannot be used. Please contact support.',
    BAD_INPUT: 'Something you entered is not right. Please check it.',
    CONFLICT: 'Things have changed. Please refresh and try again.',
    RATE_LIMITED: 'Too many attempts. Please wait a moment.',
    WECHAT_UNAVAILABLE: 'WeChat is busy. Please try again later.',
    SERVER_MISCONFIGURED: 'The service is not available. Please contact support.',
    GRAPHQL_PARSE_FAILED: 'Please update this Mini Program.',
    GRAPHQL_VALIDATION_FAILED: 'Please update this Mini Program.',
    QUERY_TOO_COMPLEX: 'That is too much at once. Please try with less.',
    OPERATION_NOT_TRUSTED: 'Please update this Mini Program.',
    INTERNAL: 'Something went wrong. Please try again later.',
    NETWORK: 'No connection. Please check your network.',
    TIMEOUT: 'The network is slow. Please try again.',
    BAD_ANSWER: 'The service is not available. Please try again later.',
    WECHAT_LOGIN_FAILED: 'WeChat login failed. Please try again.',
    LOGIN_FUSE_TRIPPED: 'There is a problem with login. Please try again in a few minutes.',
    AUTH_CANCELLED: 'Authorization was cancelled.',
    AUTH_POPUP_MISSING: 'This page cannot ask for authorization.',
    PHONE_DENIED: 'A phone number is needed to go on.',
    PHONE_QUOTA_EXHAUSTED: 'Phone numbers are not available. Please contact support.',
    PRIVACY_REFUSED: 'Please agree to the privacy notice first.',
};
/** What to tell people about an error: the texts given first, then our own. Anything unknown reads as INTERNAL. */
function messageFor(error, language = 'zh', texts = {}) {
    const words = { ...(language === 'en' ? en : zh), ...texts };
    const code = error === null || error === void 0 ? void 0 : error.code;
    return (code && words[code]) || words.INTERNAL || zh.INTERNAL;
}
