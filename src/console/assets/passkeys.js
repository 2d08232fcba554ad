// SPDX-License-Identifier: Apache-2.0

// Asks the browser for passkeys. A form that wants one shows itself only where there can be any: the browser knows them, and the page is one of
// those that they are bound to. What the browser gives goes with the form; everything else is said and refused by the service.
const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const named = (all) => (all || []).map((it) => ({ ...it, id: bytes(it.id) }));
const shared = (got) => ({ id: got.id, rawId: text(got.rawId), type: got.type });

const made = async (asked) => {
  const user = { ...asked.user, id: bytes(asked.user.id) };
  const publicKey = { ...asked, user, challenge: bytes(asked.challenge), excludeCredentials: named(asked.excludeCredentials) };
  const got = await navigator.credentials.create({ publicKey }), said = got.response;
  const transports = said.getTransports ? said.getTransports() : [];
  return { ...shared(got), response: { attestationObject: text(said.attestationObject), clientDataJSON: text(said.clientDataJSON), transports } };
};
const shown = async (asked) => {
  const publicKey = { ...asked, challenge: bytes(asked.challenge), allowCredentials: named(asked.allowCredentials) };
  const got = await navigator.credentials.get({ publicKey }), said = got.response;
  const response = { authenticatorData: text(said.authenticatorData), clientDataJSON: text(said.clientDataJSON), signature: text(said.signature) };
  if (said.userHandle) response.userHandle = text(said.userHandle);
  return { ...shared(got), response };
};

const sends = async (form) => {
  const { options, passkey, failed } = form.dataset, alert = form.querySelector("[role=alert]");
  alert.textContent = "";
  const answer = await fetch(options, { method: "POST", headers: { "content-type": "application/json" }, body: "{}" }).catch(() => null);
  if (!answer) { alert.textContent = failed; return; }
  // What is refused is said on the next page, with the way to go on.
  if (!answer.ok) { form.submit(); return; }
  const { publicKey } = await answer.json();
  try {
    form.elements.credential.value = JSON.stringify(await (passkey === "create" ? made : shown)(publicKey));
  } catch {
    alert.textContent = failed;
    return;
  }
  form.submit();
};

for (const form of document.querySelectorAll("form[data-passkey]")) {
  const { domain } = form.dataset;
  if (!window.PublicKeyCredential || !(location.hostname === domain || location.hostname.endsWith(`.${domain}`))) continue;
  form.hidden = false;
  form.addEventListener("submit", (event) => { event.preventDefault(); sends(form); });
}
