export default function ({ data, parentElement }) {
  const button = parentElement.querySelector("button");
  const [icon, label] = button.children;
  const live = parentElement.querySelector("[role=status]");
  label.textContent = data.label;
  button.onclick = async () => {
    const copied = await put(data.text);
    icon.textContent = copied ? "check" : "error";
    label.textContent = copied ? "Copied" : "Could not copy";
    live.textContent = label.textContent;
    setTimeout(() => {
      icon.textContent = "content_copy";
      label.textContent = data.label;
      live.textContent = "";
    }, 2000);
  };
}

async function put(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without https there is no clipboard to ask but through a selection.
    const area = document.body.appendChild(document.createElement("textarea"));
    area.value = text;
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    return copied;
  }
}
