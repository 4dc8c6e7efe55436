"""The whole loop in Python, on the demo data. Run it as a script, or cell by cell in an editor that knows "# %%".

    python docs/loop.py

Everything is kept under SLIM_HOME (./var by default); a second run finds every step done.
"""

# %% A data set whose labels a photograph gives away: digits on photographs, 90 % of the training images agree
import slim_core

folder = slim_core.Settings().home / "demo-data" / "seed-0"
slim_core.write_demo(folder, slim_core.DemoConfig(seed=0))
data = slim_core.data_set(folder)
print(f"{data.name}: {data.n_images} images")

# %% A reference model, and which group it fails
reference = slim_core.train(data.id)
before = slim_core.evaluate(reference.id)
for group in before.metrics["groups"]:
    print(f"{group['name']:>12}  {group['accuracy']:.1%}  ({group['low']:.1%} to {group['high']:.1%}, n {group['n']})")

# %% Where it looks: one pass writes maps, their scores against the masks, and all features
attention = slim_core.gradcam(reference.id)
print(f"attention precision {attention.metrics['attention_precision']:.2f}")

# %% The attention space, and the few images to ask about
space = slim_core.make_space(attention.id)
campaign = slim_core.choose_candidates(space.id, share=0.03)
print(f"asking about {sum(campaign.budgets.values())} of {campaign.n_split} images")

# %% A person answers on the Annotate page; here the masks do
slim_core.answer_from_masks(campaign.id)

# %% A small balanced subset, and a model retrained on it
subset = slim_core.curate(campaign.id)
print(f"{subset.metrics['images']} images, {subset.metrics['images_unique']} different ones")
model = slim_core.retrain(subset.id)
after = slim_core.evaluate(model.id)
print(f"worst group {before.metrics['wga']:.1%} -> {after.metrics['wga']:.1%}")

# %% The same number of images at random, retrained in the same way
at_random = slim_core.curate(strategy="random", space=space.id, size=subset.metrics["images"])
slim_core.evaluate(slim_core.retrain(at_random.id).id)
table = slim_core.compare()[["method", "wga", "average", "attention_precision", "images", "answers"]]
print(table.round(3).to_string(index=False))
