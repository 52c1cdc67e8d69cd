// Shows the document with Swagger UI; keys that are typed in stay in this tab.
const place = document.getElementById("docs");
const dark = matchMedia("(prefers-color-scheme: dark)");
const wear = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", wear);
wear();
SwaggerUIBundle({
  domNode: place,
  url: place.dataset.document,
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  docExpansion: "list",
  // no validator: nothing leaves for elsewhere
  validatorUrl: null,
});
