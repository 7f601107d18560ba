// One stream of what moved for all tabs: opened while any of them is seen, closed with the last.
"use strict";

const tabs = new Map();
let source = null;
let last = null;

function tell(message) {
  last = message;
  for (const port of tabs.keys()) port.postMessage(message);
}

function open() {
  source = new EventSource("/events");
  source.onmessage = (event) => tell({ open: true, versions: JSON.parse(event.data) });
  source.onerror = () => {
    tell({ open: false });
    if (source && source.readyState === EventSource.CLOSED) {
      source = null;
      setTimeout(settle, 2000);
    }
  };
}

function settle() {
  const seen = [...tabs.values()].some(Boolean);
  if (seen && !source) open();
  if (!seen && source) {
    source.close();
    source = null;
    last = null;
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
  // Where there are no shared workers this script is the page's own: one stream for each seen tab.
  const channel = new MessageChannel();
  channel.port1.onmessage = (event) => hear(channel.port1, event.data);
  self.ownStream = channel.port2;
} else {
  self.onconnect = (event) => {
    const port = event.ports[0];
    port.onmessage = (message) => hear(port, message.data);
  };
}
