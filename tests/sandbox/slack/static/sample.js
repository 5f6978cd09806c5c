// One payload by itself, drawn by the page's own renderer: a cell of the gallery's contact sheets.
import { blocks } from "./blocks.js";
import { avatar, h } from "./dom.js";
import { know, text } from "./mrkdwn.js";

const { state, samples } = parent.gallery, one = samples[Number(location.hash.slice(1))];
know(state);
const at = { user: state.me.id, people: state.people, channels: state.channels, conversations: state.conversations, app: state.bot.name, key: "sample", container: {} };

const message = (payload) => h("article", { class: "message" }, avatar({ real_name: state.bot.name, is_bot: true }),
  h("div", { class: "said" }, h("p", { class: "by" }, h("strong", {}, state.bot.name), h("span", { class: "badge" }, "App")),
    blocks(payload.blocks, at), h("p", { class: "also" }, payload.text)));

const modal = (view) => h("div", { class: "dialog" },
  h("div", { class: "dialog-head" }, h("h2", {}, text(view.title))),
  h("div", { class: "dialog-body" }, blocks(view.blocks, at)),
  h("div", { class: "dialog-foot" }, h("button", {}, view.close ? text(view.close) : "Close"), view.submit ? h("button", { class: "primary" }, text(view.submit)) : null));

const home = (view) => h("div", { class: "home" }, blocks(view.blocks, at));
const draw = { modal, home }[one.payload.type] || message;
document.body.prepend(h("p", { class: "caption" }, one.name), h("div", { class: "sample" }, draw(one.payload)));
document.title = "drawn";
frameElement.style.height = `${document.body.offsetHeight}px`;
