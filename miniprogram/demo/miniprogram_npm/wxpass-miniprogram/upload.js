"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.upload = upload;
const errors_1 = require("./errors");
const graphql_1 = require("./graphql");
/** Uploads a picture with wx.uploadFile. A refused token leads to one re-login and one repetition, as with requests. */
async function upload(transport, session, filePath) {
    for (let relogged = false;; relogged = true) {
        const { token } = await session.ensureLogin();
        const answer = await put(transport, filePath, token);
        const error = (0, graphql_1.errorOf)(answer);
        if (!error)
            return answer.data;
        if (relogged || !(0, graphql_1.nothingRan)(answer, 'UNAUTHENTICATED'))
            throw error;
        await session.refused(token);
    }
}
function put(transport, filePath, token) {
    return new Promise((resolve, reject) => {
        wx.uploadFile({
            url: transport.endpoint,
            filePath,
            name: 'file',
            timeout: transport.timeout,
            header: { ...transport.header(), authorization: `Bearer ${token}` },
            success: (res) => {
                try {
                    resolve(readUpload(res.data, res.statusCode));
                }
                catch (e) {
                    reject(e);
                }
            },
            fail: (e) => reject((0, graphql_1.transportError)(e)),
        });
    });
}
/** wx.uploadFile hands over text. A success is {avatarId, url}, a refusal looks like one of GraphQL. */
function readUpload(text, statusCode) {
    let body = {};
    try {
        body = JSON.parse(text);
    }
    catch (_a) {
        throw new errors_1.WxpassError('BAD_ANSWER', `HTTP ${statusCode} to an upload`);
    }
    if (body.avatarId && body.url)
        return { data: { avatarId: body.avatarId, url: body.url }, errors: [] };
    return (0, graphql_1.read)(body, statusCode);
}
