"""Attention spaces: features in two dimensions, and the environments each class is seen in (METHOD S2, S7).

Public: embedding (embed, SpaceConfig), environments (environment_clusters, ClusterConfig, Clusters), clustering
(seeded_kmeans), selections (Selections, nearest).
"""
