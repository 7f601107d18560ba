// One stream of what moved for all tabs: opened while any of them is seen, closed with the last.
// Where there are no shared workers this is a page's own script: then each seen tab has its own.
"use strict";

(() => {
  const tabs = new Map();
  let source = null;
  let last = null;

  function tell(message) {
    last = message;
    for (const port of tabs.keys()) port.postMessage(message);
  }

  function listen() {
    source = new EventSource("/events");
    source.onmessage = (event) => tell({ open: true, versions: JSON.parse(event.data) });
    source.onerror = () => {
      tell({ open: false });
      if (source && source.readyState === EventSource.CLOSED) {
        source = null; // a refusal, such as of one connection too many: the browser gives up, we ask
        setTimeout(settle, 2000);
      }
    };
  }

  function settle() {
    const seen = [...tabs.values()].some(Boolean);
    if (seen && !source) listen();
    if (!seen && source) {
      source.close();
      source = last = null;
    }
  }

  // A page says whether it is seen, and when it goes.
  function hear(port, said) {
    if (said === "gone") tabs.delete(port);
    else tabs.set(port, said === "seen");
    settle();
    if (said === "seen" && last) port.postMessage(last);
  }

  if (typeof SharedWorkerGlobalScope === "undefined") {
    const page = { postMessage: (message) => page.hears({ data: message }) };
    self.ownStream = {
      set onmessage(hears) { page.hears = hears; },
      postMessage: (said) => hear(page, said), // at once: a page that goes has no time
    };
  } else {
    self.onconnect = (event) => {
      const port = event.ports[0];
      port.onmessage = (message) => hear(port, message.data);
    };
  }
})();
